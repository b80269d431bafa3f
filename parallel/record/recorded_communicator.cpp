#include "parallel/record/recorded_communicator.h"

#include <utility>

#include "parallel/comm/device/delegating_communicator.h"
#include "parallel/comm/rank_groups.h"

namespace edt {
namespace {

using Tensors = std::vector<Tensor>;

class RecordedCommunicator final : public DelegatingCommunicator {
 public:
  RecordedCommunicator(std::unique_ptr<Communicator> ranks, CallRecorder& recorder,
                       RecordedWhen when)
      : DelegatingCommunicator(std::move(ranks)), recorder_(recorder), when_(when) {}

  std::string_view backend() const override { return ranks().backend(); }

 private:
  // `run` between what is read, as it was given, and what it leaves.
  template <class Run>
  void note(const Collective& call, const Tensors& in, const Tensors& out, const Run& run) {
    if (when_ == RecordedWhen::kInMicroBatches && !recorder_.records_kernels()) return run();
    auto recorded = recorder_.begin_collective(label(), call.operation, call.label);
    if (recorded) see(*recorded, in, recorded->in);
    run();
    if (!recorded) return;
    see(*recorded, out, recorded->out);
    recorder_.finish(std::move(*recorded));
  }
  void see(const RecordedCall& call, const Tensors& tensors, std::vector<RecordedTensor>& among) {
    std::int64_t place = 0;
    for (const Tensor& tensor : tensors) {
      const std::int64_t here = place++;
      if (tensor.elements() == 0) continue;  // a rank's part may be none
      recorder_.see(call, {.place = here, .shape = tensor.shape, .dtype = tensor.dtype},
                    {static_cast<const std::byte*>(tensor.data), tensor.bytes()}, among);
    }
  }
  Tensor own_part(const Tensor& whole, std::span<const std::int64_t> bounds) const {
    const auto r = static_cast<std::size_t>(rank());
    return whole.reshaped({whole.elements()}).slice(bounds[r], bounds[r + 1]);
  }

  std::unique_ptr<Communicator> do_split(int color, int key, const Collective& call) override {
    return make_recorded_communicator(ranks().split(color, key, call.label), recorder_, when_);
  }
  void do_broadcast(const Tensor& tensor, int root, const Collective& call) override {
    const Tensors given = rank() == root ? Tensors{tensor} : Tensors{};
    note(call, given, {tensor}, [&] { ranks().broadcast(tensor, root, call.label); });
  }
  void do_all_reduce(const Tensor& tensor, Reduce reduce, const Collective& call) override {
    note(call, {tensor}, {tensor}, [&] { ranks().all_reduce(tensor, reduce, call.label); });
  }
  void do_all_gather(const Tensor& from, const Tensor& to, const Collective& call) override {
    note(call, {from}, {to}, [&] { ranks().all_gather(from, to, call.label); });
  }
  void do_reduce_scatter(const Tensor& from, const Tensor& to, Reduce reduce,
                         const Collective& call) override {
    note(call, {from}, {to}, [&] { ranks().reduce_scatter(from, to, reduce, call.label); });
  }
  // The parts of other ranks hold partial sums afterwards.
  void do_reduce_scatter_parts(const Tensor& whole, std::span<const std::int64_t> bounds, Wire wire,
                               const Collective& call) override {
    note(call, {whole}, {own_part(whole, bounds)},
         [&] { ranks().reduce_scatter_parts(whole, bounds, wire, call.label); });
  }
  void do_reduce_groups(const Tensor& whole, std::span<const std::int64_t> bounds, Wire wire,
                        const Collective& call) override {
    note(call, {whole}, group_parts(whole, bounds, rank()),
         [&] { ranks().reduce_groups(whole, bounds, wire, call.label); });
  }
  void do_fold_groups(std::span<const Tensor> parts, const Tensor& onto, Wire wire,
                      const Collective& call) override {
    Tensors given(parts.begin(), parts.end());
    if (onto.defined()) given.push_back(onto);
    const auto own = static_cast<std::size_t>(RankGroups::of(size()).group_of(rank()));
    note(call, given, {parts[own]}, [&] { ranks().fold_groups(parts, onto, wire, call.label); });
  }
  void do_all_gather_parts(const Tensor& whole, std::span<const std::int64_t> bounds,
                           const Collective& call) override {
    const Tensor all =
        whole.reshaped({whole.elements()}).slice(bounds[0], bounds[bounds.size() - 1]);
    note(call, {own_part(whole, bounds)}, {all},
         [&] { ranks().all_gather_parts(whole, bounds, call.label); });
  }
  void do_send(const Tensor& tensor, int to, const Collective& call) override {
    ranks().send(tensor, to, call.label);
  }
  void do_receive(const Tensor& tensor, int from, const Collective& call) override {
    ranks().receive(tensor, from, call.label);
  }

  CallRecorder& recorder_;
  RecordedWhen when_;
};

}  // namespace

std::unique_ptr<Communicator> make_recorded_communicator(std::unique_ptr<Communicator> ranks,
                                                         CallRecorder& recorder,
                                                         RecordedWhen when) {
  return std::make_unique<RecordedCommunicator>(std::move(ranks), recorder, when);
}

}  // namespace edt
