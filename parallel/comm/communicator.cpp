#include "parallel/comm/communicator.h"

#include <algorithm>
#include <exception>

#include "core/base/span.h"
#include "parallel/comm/rank_groups.h"
#include "parallel/comm/wire.h"

namespace edt {
namespace {

void check_tensor(const Collective& call, const Tensor& tensor) {
  require<CommunicationError>(tensor.defined() || tensor.elements() == 0, call.operation,
                              "{}: the tensor of shape {} has no memory", call.label,
                              to_string(tensor.shape));
}

void check_float32(const Collective& call, const Tensor& tensor) {
  require<CommunicationError>(tensor.dtype == DType::kFloat32, call.operation,
                              "{}: parts are summed in float32, the tensor is {}", call.label,
                              name_of(tensor.dtype));
}

void check_reduce(const Collective& call, const Tensor& tensor, Reduce reduce) {
  require<CommunicationError>(reduce != Reduce::kOr || tensor.dtype == DType::kInt32,
                              call.operation, "{}: {} needs int32, got {}", call.label,
                              name_of(reduce), name_of(tensor.dtype));
}

}  // namespace

std::string_view name_of(Reduce reduce) {
  switch (reduce) {
    case Reduce::kSum:
      return "sum";
    case Reduce::kMax:
      return "max";
    case Reduce::kMin:
      return "min";
    case Reduce::kOr:
      return "or";
  }
  return "?";
}

Communicator::~Communicator() { set_observer(nullptr); }

void Communicator::set_observer(std::shared_ptr<CollectiveObserver> observer) {
  if (observer_) observer_->left(*this);
  observer_ = std::move(observer);
  if (observer_) observer_->joined(*this);
}

std::string Communicator::name() const {
  return fmt::format("rank {} of {} on {}", rank(), size(), host());
}

Collective Communicator::next(std::string_view operation, std::string_view label,
                              std::size_t bytes) {
  require<CommunicationError>(!label.empty(), operation, "the collective has no label");
  return {operation, label, ++sequence_, bytes};
}

Collective Communicator::next_message(std::string_view operation, std::string_view label,
                                      std::size_t bytes) {
  require<CommunicationError>(!label.empty(), operation, "the message has no label");
  return {operation, label, ++messages_, bytes};
}

template <class F>
auto Communicator::observed(const Collective& call, F&& body) {
  struct Observed {
    CollectiveObserver* observer;
    std::uint64_t ticket;
    int exceptions = std::uncaught_exceptions();
    ~Observed() {
      if (observer && std::uncaught_exceptions() == exceptions) observer->end(ticket);
    }
  };
  const Span span({.kind = SpanKind::kCommunication,
                   .name = call.operation,
                   .label = call.label,
                   .group = id_,
                   .sequence = call.sequence,
                   .bytes = static_cast<double>(call.bytes)});
  const Observed scope{observer_.get(), observer_ ? observer_->begin(*this, call) : 0};
  return body();
}

void Communicator::check_rank(const Collective& call, std::string_view what, int value) const {
  require<CommunicationError>(value >= 0 && value < size(), call.operation,
                              "{}: {} is {}, the ranks are 0..{}", call.label, what, value,
                              size() - 1);
}

void Communicator::check_parts(const Collective& call, const Tensor& part,
                               const Tensor& whole) const {
  check_tensor(call, part);
  check_tensor(call, whole);
  require<CommunicationError>(part.dtype == whole.dtype, call.operation, "{}: {} and {} differ",
                              call.label, name_of(part.dtype), name_of(whole.dtype));
  require<CommunicationError>(part.elements() * size() == whole.elements(), call.operation,
                              "{}: {} elements are not {} parts of {}", call.label,
                              whole.elements(), size(), part.elements());
}

void Communicator::check_bounds(const Collective& call, const Tensor& whole,
                                std::span<const std::int64_t> bounds) const {
  check_tensor(call, whole);
  require<CommunicationError>(bounds.size() == static_cast<std::size_t>(size()) + 1, call.operation,
                              "{}: {} bounds for {} ranks, {} are needed", call.label,
                              bounds.size(), size(), size() + 1);
  require<CommunicationError>(std::is_sorted(bounds.begin(), bounds.end()) && bounds.front() >= 0,
                              call.operation, "{}: the bounds do not ascend from 0 or more",
                              call.label);
  require<CommunicationError>(bounds.back() <= whole.elements(), call.operation,
                              "{}: the parts end at {}, the tensor at {}", call.label,
                              bounds.back(), whole.elements());
}

void Communicator::check_groups_wire(const Collective& call, Wire wire) {
  require<CommunicationError>(!rounds_once(wire), call.operation,
                              "{}: groups meet in two steps, this wire rounds once", call.label);
}

void Communicator::check_divides(int count, std::string_view label) const {
  require<CommunicationError>(count > 0 && size() % count == 0, "split",
                              "{}: {} ranks are no groups of {}", label, size(), count);
}

void Communicator::check_groups(const Collective& call, std::span<const Tensor> parts,
                                const Tensor& onto) const {
  const RankGroups groups = RankGroups::of(size());
  require<CommunicationError>(parts.size() == static_cast<std::size_t>(groups.count),
                              call.operation, "{}: {} parts for {} groups of {} ranks", call.label,
                              parts.size(), groups.count, groups.size);
  for (const Tensor& part : parts) {
    check_tensor(call, part);
    check_float32(call, part);
  }
  const Tensor& own = parts[static_cast<std::size_t>(groups.group_of(rank()))];
  require<CommunicationError>(!onto.defined() || onto.elements() == own.elements(), call.operation,
                              "{}: {} elements are added to a part of {}", call.label,
                              onto.elements(), own.elements());
}

template <class Split>
std::unique_ptr<Communicator> Communicator::make_part(int color, std::string_view label,
                                                      Split&& split) {
  const Collective call = next("split", label, 0);
  auto part = observed(call, [&] { return split(call); });
  part->label_ = label;
  part->id_ = fmt::format("{}/{}.{}", id_, call.sequence, color);
  part->timeout_ = timeout_;
  part->set_observer(observer_);
  return part;
}

std::unique_ptr<Communicator> Communicator::split(int color, int key, std::string_view label) {
  require<CommunicationError>(color >= 0, "split", "{}: color is {}, must not be negative", label,
                              color);
  return make_part(color, label,
                   [&](const Collective& call) { return do_split(color, key, call); });
}

std::unique_ptr<Communicator> Communicator::neighbours(int count, std::string_view label) {
  check_divides(count, label);
  return make_part(rank() / count, label,
                   [&](const Collective& call) { return do_neighbours(count, call); });
}

std::unique_ptr<Communicator> Communicator::counterparts(int count, std::string_view label) {
  check_divides(count, label);
  return make_part(rank() % count, label,
                   [&](const Collective& call) { return do_counterparts(count, call); });
}

std::unique_ptr<SideChannel> Communicator::side_channel(std::string_view label) {
  const Collective call = next("side_channel", label, 0);
  return observed(call, [&] { return do_side_channel(call); });
}

void Communicator::barrier(std::string_view label) {
  const Collective call = next("barrier", label, 0);
  observed(call, [&] { do_barrier(call); });
}

void Communicator::broadcast(const Tensor& tensor, int root, std::string_view label) {
  const Collective call = next("broadcast", label, tensor.bytes());
  check_tensor(call, tensor);
  check_rank(call, "root", root);
  observed(call, [&] { do_broadcast(tensor, root, call); });
}

void Communicator::all_reduce(const Tensor& tensor, Reduce reduce, std::string_view label) {
  const Collective call = next("all_reduce", label, tensor.bytes());
  check_tensor(call, tensor);
  check_reduce(call, tensor, reduce);
  observed(call, [&] { do_all_reduce(tensor, reduce, call); });
}

void Communicator::all_gather(const Tensor& from, const Tensor& to, std::string_view label) {
  const Collective call = next("all_gather", label, from.bytes());
  check_parts(call, from, to);
  observed(call, [&] { do_all_gather(from, to, call); });
}

void Communicator::reduce_scatter(const Tensor& from, const Tensor& to, Reduce reduce,
                                  std::string_view label) {
  const Collective call = next("reduce_scatter", label, from.bytes());
  check_parts(call, to, from);
  check_reduce(call, from, reduce);
  observed(call, [&] { do_reduce_scatter(from, to, reduce, call); });
}

void Communicator::reduce_scatter_parts(const Tensor& whole, std::span<const std::int64_t> bounds,
                                        Wire wire, std::string_view label) {
  const Collective call = next("reduce_scatter", label, whole.bytes());
  check_bounds(call, whole, bounds);
  check_float32(call, whole);
  observed(call, [&] { do_reduce_scatter_parts(whole, bounds, wire, call); });
}

void Communicator::reduce_groups(const Tensor& whole, std::span<const std::int64_t> bounds,
                                 Wire wire, std::string_view label) {
  const Collective call = next("reduce_groups", label, whole.bytes());
  check_bounds(call, whole, bounds);
  check_float32(call, whole);
  check_groups_wire(call, wire);
  observed(call, [&] { do_reduce_groups(whole, bounds, wire, call); });
}

void Communicator::fold_groups(std::span<const Tensor> parts, const Tensor& onto, Wire wire,
                               std::string_view label) {
  std::size_t bytes = 0;
  for (const Tensor& part : parts) bytes += part.bytes();
  const Collective call = next("fold_groups", label, bytes);
  check_groups(call, parts, onto);
  check_groups_wire(call, wire);
  observed(call, [&] { do_fold_groups(parts, onto, wire, call); });
}

void Communicator::all_gather_parts(const Tensor& whole, std::span<const std::int64_t> bounds,
                                    std::string_view label) {
  const Collective call = next("all_gather", label, whole.bytes());
  check_bounds(call, whole, bounds);
  observed(call, [&] { do_all_gather_parts(whole, bounds, call); });
}

void Communicator::send(const Tensor& tensor, int to, std::string_view label) {
  const Collective call = next_message("send", label, tensor.bytes());
  check_tensor(call, tensor);
  check_rank(call, "destination", to);
  require<CommunicationError>(to != rank(), call.operation, "{}: rank {} sends to itself", label,
                              to);
  observed(call, [&] { do_send(tensor, to, call); });
}

void Communicator::receive(const Tensor& tensor, int from, std::string_view label) {
  const Collective call = next_message("receive", label, tensor.bytes());
  check_tensor(call, tensor);
  check_rank(call, "source", from);
  require<CommunicationError>(from != rank(), call.operation, "{}: rank {} receives from itself",
                              label, from);
  observed(call, [&] { do_receive(tensor, from, call); });
}

std::vector<std::string> Communicator::gather(std::string_view bytes, int root,
                                              std::string_view label) {
  const Collective call = next("gather", label, bytes.size());
  check_rank(call, "root", root);
  return observed(call, [&] { return do_gather(bytes, root, call); });
}

std::string Communicator::broadcast(std::string_view bytes, int root, std::string_view label) {
  const Collective call = next("broadcast", label, bytes.size());
  check_rank(call, "root", root);
  return observed(call, [&] { return do_broadcast_bytes(bytes, root, call); });
}

std::string Communicator::first_of_all(std::string_view text, std::string_view label) {
  std::string first;
  for (const std::string& one : gather(text, 0, label)) {
    if (first.empty()) first = one;
  }
  return broadcast(first, 0, label);
}

}  // namespace edt
