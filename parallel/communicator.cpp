#include "parallel/communicator.h"

namespace edt {
namespace {

void check_tensor(const Collective& call, const Tensor& tensor) {
  require<CommunicationError>(tensor.defined() || tensor.elements() == 0, call.operation,
                              "{}: the tensor of shape {} has no memory", call.label,
                              to_string(tensor.shape));
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

std::string Communicator::name() const {
  return fmt::format("rank {} of {} on {}", rank(), size(), host());
}

Collective Communicator::next(std::string_view operation, std::string_view label,
                              std::size_t bytes) {
  require<CommunicationError>(!label.empty(), operation, "the collective has no label");
  return {operation, label, ++sequence_, bytes};
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

std::unique_ptr<Communicator> Communicator::split(int color, int key, std::string_view label) {
  const Collective call = next("split", label, 0);
  require<CommunicationError>(color >= 0, call.operation, "{}: color is {}, must not be negative",
                              label, color);
  return do_split(color, key, call);
}

void Communicator::barrier(std::string_view label) { do_barrier(next("barrier", label, 0)); }

void Communicator::broadcast(const Tensor& tensor, int root, std::string_view label) {
  const Collective call = next("broadcast", label, tensor.bytes());
  check_tensor(call, tensor);
  check_rank(call, "root", root);
  do_broadcast(tensor, root, call);
}

void Communicator::all_reduce(const Tensor& tensor, Reduce reduce, std::string_view label) {
  const Collective call = next("all_reduce", label, tensor.bytes());
  check_tensor(call, tensor);
  check_reduce(call, tensor, reduce);
  do_all_reduce(tensor, reduce, call);
}

void Communicator::all_gather(const Tensor& from, const Tensor& to, std::string_view label) {
  const Collective call = next("all_gather", label, from.bytes());
  check_parts(call, from, to);
  do_all_gather(from, to, call);
}

void Communicator::reduce_scatter(const Tensor& from, const Tensor& to, Reduce reduce,
                                  std::string_view label) {
  const Collective call = next("reduce_scatter", label, from.bytes());
  check_parts(call, to, from);
  check_reduce(call, from, reduce);
  do_reduce_scatter(from, to, reduce, call);
}

void Communicator::send(const Tensor& tensor, int to, std::string_view label) {
  const Collective call = next("send", label, tensor.bytes());
  check_tensor(call, tensor);
  check_rank(call, "destination", to);
  require<CommunicationError>(to != rank(), call.operation, "{}: rank {} sends to itself", label,
                              to);
  do_send(tensor, to, call);
}

void Communicator::receive(const Tensor& tensor, int from, std::string_view label) {
  const Collective call = next("receive", label, tensor.bytes());
  check_tensor(call, tensor);
  check_rank(call, "source", from);
  require<CommunicationError>(from != rank(), call.operation, "{}: rank {} receives from itself",
                              label, from);
  do_receive(tensor, from, call);
}

std::vector<std::string> Communicator::gather(std::string_view bytes, int root,
                                              std::string_view label) {
  const Collective call = next("gather", label, bytes.size());
  check_rank(call, "root", root);
  return do_gather(bytes, root, call);
}

std::string Communicator::broadcast(std::string_view bytes, int root, std::string_view label) {
  const Collective call = next("broadcast", label, bytes.size());
  check_rank(call, "root", root);
  return do_broadcast_bytes(bytes, root, call);
}

}  // namespace edt
