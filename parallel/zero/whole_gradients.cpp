#include "parallel/comm/rank_groups.h"
#include "parallel/sharding/flat_state.h"
#include "parallel/sharding/gradient_accumulator.h"
#include "parallel/zero/gradients.h"

namespace edt {
namespace {

// One rank goes through the whole tree by itself. Of several each sums its leaves of a turn, and
// the sums are reduced at its end; those of the turns before are kept as parts.
class WholeGradients final : public Gradients {
 public:
  WholeGradients(const ZeroContext& context, int micro_batches)
      : context_(context),
        share_(SumShare::of(micro_batches, context.plan.ranks())),
        sums_(context.device, context.plan.layout().size(),
              is_alone() ? share_ : SumShare{1, share_.leaves}, GradientAccumulator::Leaves::kOwn),
        reductions_(context.plan.buckets().size()) {
    if (is_alone() || share_.turns == 1) return;
    before_ = zeroed_floats(context.device, context.plan.shard().elements());
  }

  std::vector<std::int64_t> micro_batches(std::int64_t global) const override {
    EDT_ASSERT(global == share_.count() * context_.plan.ranks());
    return neighbouring_micro_batches(global, context_.ranks.rank(), context_.plan.ranks());
  }

  void begin_micro_batch(int index) override { index_ = index; }

  void provide(std::size_t bucket) override {
    const PlannedBucket& planned = context_.plan.bucket(bucket);
    if (index_ > 0 && leaf() == 0) {  // where the last turn's sum is still being reduced
      context_.exchange([this, bucket] { context_.queue.wait(reductions_[bucket]); });
    }
    const std::span<float> values = sums_.leaf(leaf());
    for (std::size_t t = planned.first; t < planned.last; ++t) {
      const FlatTensor& tensor = context_.plan.layout().tensor(t);
      context_.parameters[t]->grad = {values.data() + tensor.offset, tensor.shape, DType::kFloat32};
    }
  }

  void bucket_final(std::size_t bucket) override {
    sums_.add(leaf(), context_.plan.bucket(bucket).range);
    if (is_alone() || !share_.ends_turn(index_)) return;
    context_.exchange([this, bucket, index = index_] {
      reductions_[bucket] =
          context_.queue.submit([this, bucket, index] { end_turn(bucket, index); });
    });
  }

  std::span<float> own(std::size_t bucket) const override {
    return part(context_.plan.bucket(bucket).own);
  }
  std::span<float> kept(std::size_t bucket) const override {
    return part(context_.plan.bucket(bucket).kept);
  }

  std::vector<MemoryUse> bytes_by_category() const override {
    const std::size_t one = static_cast<std::size_t>(context_.plan.layout().size()) * sizeof(float);
    return {{"gradients", one}, {"gradient accumulation", sums_.bytes() + before_.bytes() - one}};
  }

 private:
  bool is_alone() const { return context_.plan.ranks() == 1; }
  // Of the accumulator, which for several ranks has those of one turn.
  int leaf() const { return index_ % sums_.count(); }

  std::span<float> part(const FlatRange& range) const {
    return sums_.result().subspan(static_cast<std::size_t>(range.begin),
                                  static_cast<std::size_t>(range.elements()));
  }

  // On the queue's thread, after this rank's micro-batch `index`.
  void end_turn(std::size_t bucket, int index) {
    const PlannedBucket& planned = context_.plan.bucket(bucket);
    const Tensor sum = view_of(part(planned.range), {planned.range.elements()});
    const bool is_last = index + 1 == share_.count();
    if (share_.turns == 1) {
      context_.ranks.reduce_scatter_parts(sum, planned.bounds, context_.config.reduce_dtype,
                                          planned.gradient_label);
    } else {
      add_turn(planned, sum, index < share_.leaves, is_last);
    }
    if (is_last && context_.plan.state_is_whole()) {
      context_.ranks.all_gather_parts(sum, planned.bounds, planned.gradient_label);
    }
  }

  // Of several turns: on what the earlier ones have come to.
  void add_turn(const PlannedBucket& planned, const Tensor& sum, bool is_first, bool is_last) {
    const Wire wire = context_.config.reduce_dtype;
    context_.ranks.reduce_groups(sum, planned.bounds, wire, planned.gradient_label);
    const auto parts = group_parts(sum, planned.bounds, context_.ranks.rank());
    const Tensor before = sum_before(planned);
    context_.ranks.fold_groups(parts, is_first ? Tensor{} : before, wire, planned.gradient_label);
    if (is_last || before.elements() == 0) return;
    const Tensor own = view_of(part(planned.own), before.shape);
    context_.queue.device().copy(own, before);
  }

  Tensor sum_before(const PlannedBucket& planned) const {
    auto* const values = static_cast<float*>(before_.data()) + planned.packed;
    return {values, {planned.own.elements()}, DType::kFloat32};
  }

  ZeroContext context_;
  SumShare share_;
  GradientAccumulator sums_;
  Block before_;  // of the turns before, this rank's parts, packed; none: there is one turn
  std::vector<CommunicationQueue::Ticket> reductions_;  // of the last turn, by bucket
  int index_ = 0;
};

}  // namespace

std::unique_ptr<Gradients> make_whole_gradients(const ZeroContext& context, int micro_batches) {
  return std::make_unique<WholeGradients>(context, micro_batches);
}

}  // namespace edt
