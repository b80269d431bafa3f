// Tensors travel through host memory: from the device, over the ranks, and what changed back. Works
// for any device and any number of ranks on it.

#include "parallel/comm/device/delegating_communicator.h"
#include "parallel/comm/device/device_communicator.h"
#include "parallel/comm/rank_groups.h"

namespace edt {
namespace {

class StagedCommunicator final : public DelegatingCommunicator {
 public:
  StagedCommunicator(Device& device, std::unique_ptr<Communicator> ranks)
      : DelegatingCommunicator(std::move(ranks)),
        device_(device),
        name_(fmt::format("{} through host memory", this->ranks().backend())) {}

  std::string_view backend() const override { return name_; }

 private:
  // Memory of the host for a tensor, kept from one collective to the next.
  Tensor stage(const Tensor& tensor) {
    if (staging_.bytes() < tensor.bytes()) {
      staging_ = {};  // first: both need not fit
      staging_ = Block(device_.staging(), tensor.bytes());
    }
    return {staging_.data(), tensor.shape, tensor.dtype};
  }
  void down(const Tensor& from, const Tensor& to) {
    if (from.elements() > 0) device_.download(from, to.data);
  }
  void up(const Tensor& from, const Tensor& to) {
    if (to.elements() > 0) device_.upload(from.data, to);
  }
  // Part `r` of a tensor of one axis.
  static Tensor part(const Tensor& whole, std::span<const std::int64_t> bounds, int r) {
    const auto i = static_cast<std::size_t>(r);
    return whole.reshaped({whole.elements()}).slice(bounds[i], bounds[i + 1]);
  }

  std::unique_ptr<Communicator> do_split(int color, int key, const Collective& call) override {
    return make_staged_communicator(device_, ranks().split(color, key, call.label));
  }
  void do_broadcast(const Tensor& tensor, int root, const Collective& call) override {
    const Tensor host = stage(tensor);
    if (rank() == root) down(tensor, host);
    ranks().broadcast(host, root, call.label);
    if (rank() != root) up(host, tensor);
  }
  void do_all_reduce(const Tensor& tensor, Reduce reduce, const Collective& call) override {
    const Tensor host = stage(tensor);
    down(tensor, host);
    ranks().all_reduce(host, reduce, call.label);
    up(host, tensor);
  }
  void do_all_gather(const Tensor& from, const Tensor& to, const Collective& call) override {
    const Tensor host = stage(to);
    const std::int64_t count = from.elements();
    const Tensor own = host.reshaped({host.elements()}).slice(rank() * count, (rank() + 1) * count);
    down(from, own);
    ranks().all_gather(own, host, call.label);
    up(host, to);
  }
  void do_reduce_scatter(const Tensor& from, const Tensor& to, Reduce reduce,
                         const Collective& call) override {
    const Tensor host = stage(from);
    const std::int64_t count = to.elements();
    const Tensor own = host.reshaped({host.elements()}).slice(rank() * count, (rank() + 1) * count);
    down(from, host);
    ranks().reduce_scatter(host, own.reshaped(to.shape), reduce, call.label);
    up(own, to);
  }
  void do_reduce_scatter_parts(const Tensor& whole, std::span<const std::int64_t> bounds, Wire wire,
                               const Collective& call) override {
    const Tensor host = stage(whole);
    down(whole, host);
    ranks().reduce_scatter_parts(host, bounds, wire, call.label);
    up(part(host, bounds, rank()), part(whole, bounds, rank()));
  }
  void do_reduce_groups(const Tensor& whole, std::span<const std::int64_t> bounds, Wire wire,
                        const Collective& call) override {
    const Tensor host = stage(whole);
    down(whole, host);
    ranks().reduce_groups(host, bounds, wire, call.label);
    for (int group = 0; group < RankGroups::of(size()).count; ++group) {
      const int r = RankGroups::of(size()).counterpart(rank(), group);
      up(part(host, bounds, r), part(whole, bounds, r));
    }
  }
  void do_fold_groups(std::span<const Tensor> parts, const Tensor& onto, Wire wire,
                      const Collective& call) override {
    std::int64_t all = onto.defined() ? onto.elements() : 0, end = 0;
    for (const Tensor& one : parts) all += one.elements();
    const Tensor host = stage({parts.front().data, {all}, DType::kFloat32});
    const auto staged = [&](const Tensor& one) {
      const Tensor copy = host.slice(end, end + one.elements());
      end += one.elements();
      down(one, copy);
      return copy;
    };
    std::vector<Tensor> copies;
    for (const Tensor& one : parts) copies.push_back(staged(one));
    ranks().fold_groups(copies, onto.defined() ? staged(onto) : Tensor{}, wire, call.label);
    const auto own = static_cast<std::size_t>(RankGroups::of(size()).group_of(rank()));
    up(copies[own], parts[own]);
  }
  void do_all_gather_parts(const Tensor& whole, std::span<const std::int64_t> bounds,
                           const Collective& call) override {
    const Tensor host = stage(whole);
    down(part(whole, bounds, rank()), part(host, bounds, rank()));
    ranks().all_gather_parts(host, bounds, call.label);
    up(host, whole);
  }
  void do_send(const Tensor& tensor, int to, const Collective& call) override {
    const Tensor host = stage(tensor);
    down(tensor, host);
    ranks().send(host, to, call.label);
  }
  void do_receive(const Tensor& tensor, int from, const Collective& call) override {
    const Tensor host = stage(tensor);
    ranks().receive(host, from, call.label);
    up(host, tensor);
  }

  Device& device_;
  std::string name_;
  Block staging_;
};

}  // namespace

std::unique_ptr<Communicator> make_staged_communicator(Device& device,
                                                       std::unique_ptr<Communicator> ranks) {
  return std::make_unique<StagedCommunicator>(device, std::move(ranks));
}

}  // namespace edt
