#include "parallel/sharding/gradient_accumulator.h"
#include "parallel/zero/gradients.h"
#include "parallel/zero/turn_sums.h"

namespace edt {
namespace {

// One rank goes through the whole tree by itself. Of several each sums its leaves of a turn, and
// the sums are reduced at its end, first within shard groups (turn_sums.h).
class WholeGradients final : public Gradients {
 public:
  WholeGradients(const ZeroContext& context, int micro_batches)
      : context_(context),
        share_(SumShare::of(micro_batches, context.plan.ranks())),
        turns_(context, share_),
        sums_(context.device, context.plan.layout().size(),
              is_alone() ? share_ : turns_.summed_before(), GradientAccumulator::Leaves::kOwn),
        reductions_(context.plan.buckets().size()) {}

  std::vector<std::int64_t> micro_batches(std::int64_t global) const override {
    EDT_ASSERT(global == share_.count() * context_.plan.ranks());
    return micro_batches_of(global, context_.plan.rank(), context_.plan.ranks(), 1);
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
    if (is_alone() || !turns_.meet_after(index_)) return;
    context_.exchange([this, bucket, index = index_] {
      reductions_[bucket] = context_.queue.submit([this, bucket, index] { reduce(bucket, index); });
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
    return {{"gradients", one},
            {"gradient accumulation", sums_.bytes() + turns_.bytes() - one},
            {"error feedback", turns_.feedback_bytes()}};
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
  void reduce(std::size_t bucket, int index) {
    const PlannedBucket& planned = context_.plan.bucket(bucket);
    const Tensor sum = view_of(part(planned.range), {planned.range.elements()});
    if (context_.replicas == nullptr) return turns_.meet(planned, index, sum);
    if (context_.shard_ranks != nullptr) {
      context_.shard_ranks->reduce_scatter_parts(sum, planned.bounds, wire_within(context_),
                                                 planned.gradient_label);
    }
    turns_.meet(planned, index, view_of(part(planned.kept), {planned.kept.elements()}));
  }

  ZeroContext context_;
  SumShare share_;
  TurnSums turns_;
  GradientAccumulator sums_;
  std::vector<CommunicationQueue::Ticket> reductions_;  // of the last turn, by bucket
  int index_ = 0;
};

}  // namespace

std::unique_ptr<Gradients> make_whole_gradients(const ZeroContext& context, int micro_batches) {
  return std::make_unique<WholeGradients>(context, micro_batches);
}

}  // namespace edt
