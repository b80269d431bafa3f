#include "tests/faults/faulty_communicator.h"

#include <utility>

#include "parallel/comm/device/delegating_communicator.h"
#include "parallel/comm/rank_groups.h"
#include "tests/faults/faults.h"

namespace edt::test {
namespace {

void spoil(const Collective& call, const Tensor& result) {
  if (result.elements() == 0 || result.dtype != DType::kFloat32) return;
  if (result_goes_wrong(call.operation)) *static_cast<float*>(result.data) += 1;
}

class FaultyCommunicator final : public DelegatingCommunicator {
 public:
  using DelegatingCommunicator::DelegatingCommunicator;
  std::string_view backend() const override { return ranks().backend(); }

 private:
  std::unique_ptr<Communicator> do_split(int color, int key, const Collective& call) override {
    return make_faulty_communicator(ranks().split(color, key, call.label));
  }
  void do_broadcast(const Tensor& tensor, int root, const Collective& call) override {
    ranks().broadcast(tensor, root, call.label);
    spoil(call, tensor);
  }
  void do_all_reduce(const Tensor& tensor, Reduce reduce, const Collective& call) override {
    ranks().all_reduce(tensor, reduce, call.label);
    spoil(call, tensor);
  }
  void do_all_gather(const Tensor& from, const Tensor& to, const Collective& call) override {
    ranks().all_gather(from, to, call.label);
    spoil(call, to);
  }
  void do_reduce_scatter(const Tensor& from, const Tensor& to, Reduce reduce,
                         const Collective& call) override {
    ranks().reduce_scatter(from, to, reduce, call.label);
    spoil(call, to);
  }
  void do_reduce_scatter_parts(const Tensor& whole, std::span<const std::int64_t> bounds, Wire wire,
                               const Collective& call) override {
    ranks().reduce_scatter_parts(whole, bounds, wire, call.label);
    const auto own = static_cast<std::size_t>(rank());
    spoil(call, whole.reshaped({whole.elements()}).slice(bounds[own], bounds[own + 1]));
  }
  void do_reduce_groups(const Tensor& whole, std::span<const std::int64_t> bounds, Wire wire,
                        const Collective& call) override {
    ranks().reduce_groups(whole, bounds, wire, call.label);
    spoil(call, group_parts(whole, bounds, rank()).front());
  }
  void do_fold_groups(std::span<const Tensor> parts, const Tensor& onto, Wire wire,
                      const Collective& call) override {
    ranks().fold_groups(parts, onto, wire, call.label);
    spoil(call, parts[static_cast<std::size_t>(RankGroups::of(size()).group_of(rank()))]);
  }
  void do_all_gather_parts(const Tensor& whole, std::span<const std::int64_t> bounds,
                           const Collective& call) override {
    ranks().all_gather_parts(whole, bounds, call.label);
    spoil(call, whole.reshaped({whole.elements()}).slice(bounds.front(), bounds.back()));
  }
  void do_send(const Tensor& tensor, int to, const Collective& call) override {
    ranks().send(tensor, to, call.label);
  }
  void do_receive(const Tensor& tensor, int from, const Collective& call) override {
    ranks().receive(tensor, from, call.label);
    spoil(call, tensor);
  }
};

}  // namespace

std::unique_ptr<Communicator> make_faulty_communicator(std::unique_ptr<Communicator> ranks) {
  return std::make_unique<FaultyCommunicator>(std::move(ranks));
}

}  // namespace edt::test
