#include "parallel/sharding/gradient_accumulator.h"
#include "parallel/zero/gradients.h"

namespace edt {
namespace {

class WholeGradients final : public Gradients {
 public:
  WholeGradients(const ZeroContext& context, int micro_batches)
      : context_(context),
        sums_(context.device, context.plan.layout().size(), micro_batches / context.plan.ranks(),
              GradientAccumulator::Leaves::kOwn) {}

  std::vector<std::int64_t> micro_batches(std::int64_t global) const override {
    std::vector<std::int64_t> mine(static_cast<std::size_t>(sums_.count()));
    EDT_ASSERT(global == sums_.count() * context_.plan.ranks());
    for (std::size_t i = 0; i < mine.size(); ++i) {
      mine[i] = context_.ranks.rank() * sums_.count() + static_cast<std::int64_t>(i);
    }
    return mine;
  }

  void begin_micro_batch(int index) override { index_ = index; }

  void provide(std::size_t bucket) override {
    const PlannedBucket& planned = context_.plan.bucket(bucket);
    const std::span<float> leaf = sums_.leaf(index_);
    for (std::size_t t = planned.first; t < planned.last; ++t) {
      const FlatTensor& tensor = context_.plan.layout().tensor(t);
      context_.parameters[t]->grad = {leaf.data() + tensor.offset, tensor.shape, DType::kFloat32};
    }
  }

  void bucket_final(std::size_t bucket) override {
    sums_.add(index_, context_.plan.bucket(bucket).range);
    if (index_ + 1 == sums_.count() && context_.plan.ranks() > 1) {
      context_.exchange(
          [this, bucket] { context_.queue.submit([this, bucket] { reduce(bucket); }); });
    }
  }

  std::span<float> own(std::size_t bucket) const override {
    return part(context_.plan.bucket(bucket).own);
  }
  std::span<float> kept(std::size_t bucket) const override {
    return part(context_.plan.bucket(bucket).kept);
  }

  std::vector<MemoryUse> bytes_by_category() const override {
    const std::size_t one = static_cast<std::size_t>(context_.plan.layout().size()) * sizeof(float);
    return {{"gradients", one}, {"gradient accumulation", sums_.bytes() - one}};
  }

 private:
  std::span<float> part(const FlatRange& range) const {
    return sums_.result().subspan(static_cast<std::size_t>(range.begin),
                                  static_cast<std::size_t>(range.elements()));
  }

  void reduce(std::size_t bucket) {
    const PlannedBucket& planned = context_.plan.bucket(bucket);
    const Tensor sum = view_of(part(planned.range), {planned.range.elements()});
    context_.ranks.reduce_scatter_parts(sum, planned.bounds, context_.config.reduce_dtype,
                                        planned.gradient_label);
    if (context_.plan.state_is_whole()) {
      context_.ranks.all_gather_parts(sum, planned.bounds, planned.gradient_label);
    }
  }

  ZeroContext context_;
  GradientAccumulator sums_;
  int index_ = 0;
};

}  // namespace

std::unique_ptr<Gradients> make_whole_gradients(const ZeroContext& context, int micro_batches) {
  return std::make_unique<WholeGradients>(context, micro_batches);
}

}  // namespace edt
