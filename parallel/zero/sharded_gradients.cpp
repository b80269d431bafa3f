#include <deque>

#include "parallel/sharding/flat_state.h"
#include "parallel/zero/gradients.h"
#include "parallel/zero/part_sums.h"

namespace edt {
namespace {

constexpr std::size_t kNoBucket = static_cast<std::size_t>(-1);

// Memory for one bucket of gradients between its first write and the end of its reduction.
struct GradientSlot {
  Block block;
  std::size_t bucket = kNoBucket;         // being written
  CommunicationQueue::Ticket ticket = 0;  // of its last reduction
};

class ShardedGradients final : public Gradients {
 public:
  ShardedGradients(const ZeroContext& context, int micro_batches)
      : context_(context),
        share_(SumShare::of(micro_batches, context.plan.ranks())),
        sums_(make_part_sums(context, share_)) {
    constexpr int kSlots = 2;  // one is written while the other is reduced
    for (int i = 0; i < kSlots; ++i) add_slot();
  }

  std::vector<std::int64_t> micro_batches(std::int64_t global) const override {
    EDT_ASSERT(global == share_.count() * context_.plan.ranks());
    return micro_batches_of(global, context_.plan.rank(), context_.plan.ranks(),
                            context_.plan.groups().size);
  }

  void begin_micro_batch(int index) override { index_ = index; }

  void provide(std::size_t bucket) override {
    GradientSlot& slot = free_slot();
    slot.bucket = bucket;
    const PlannedBucket& planned = context_.plan.bucket(bucket);
    std::int64_t end = planned.range.begin;
    for (std::size_t t = planned.first; t < planned.last; ++t) {
      const FlatTensor& tensor = context_.plan.layout().tensor(t);
      float* values = floats(slot) + (tensor.offset - planned.range.begin);
      context_.parameters[t]->grad = {values, tensor.shape, DType::kFloat32};
      clear(values - (tensor.offset - end), tensor.offset - end);
      end = tensor.end();
    }
    clear(floats(slot) + (end - planned.range.begin), planned.range.end - end);
  }

  void bucket_final(std::size_t bucket) override {
    GradientSlot& slot = slot_of(bucket);
    slot.bucket = kNoBucket;
    context_.exchange([this, &slot, bucket, index = index_] {
      slot.ticket = context_.queue.submit(
          [this, bucket, index, values = values_of(slot)] { sums_->add(bucket, index, values); });
    });
  }

  std::span<float> own(std::size_t bucket) const override {
    const PlannedBucket& planned = context_.plan.bucket(bucket);
    return kept(bucket).subspan(static_cast<std::size_t>(planned.own.begin - planned.kept.begin),
                                static_cast<std::size_t>(planned.own.elements()));
  }
  std::span<float> kept(std::size_t bucket) const override {
    const PlannedBucket& planned = context_.plan.bucket(bucket);
    return sums_->kept().subspan(static_cast<std::size_t>(planned.kept_at),
                                 static_cast<std::size_t>(planned.kept.elements()));
  }

  std::vector<MemoryUse> bytes_by_category() const override {
    const std::size_t one =
        static_cast<std::size_t>(context_.plan.state_shard().elements()) * sizeof(float);
    std::size_t slots = 0;
    for (const GradientSlot& slot : slots_) slots += slot.block.bytes();
    return {{"gradients", one},
            {"gradient accumulation", sums_->bytes() - one},
            {"gradient buckets", slots},
            {"error feedback", sums_->feedback_bytes()}};
  }

 private:
  static float* floats(const GradientSlot& slot) { return static_cast<float*>(slot.block.data()); }
  static std::span<float> values_of(const GradientSlot& slot) {
    return {floats(slot), slot.block.bytes() / sizeof(float)};
  }

  // Padding, where another bucket had values.
  void clear(float* values, std::int64_t count) {
    if (count > 0) context_.device.zero({values, {count}, DType::kFloat32});
  }

  GradientSlot& add_slot() {
    return slots_.emplace_back(
        GradientSlot{.block = zeroed_floats(context_.device, context_.plan.largest())});
  }

  // One that is not written; waits for its reduction. More are made when a model writes more
  // buckets at once than there are: in its first step.
  GradientSlot& free_slot() {
    GradientSlot* oldest = nullptr;
    for (GradientSlot& slot : slots_) {
      if (slot.bucket == kNoBucket && (oldest == nullptr || slot.ticket < oldest->ticket)) {
        oldest = &slot;
      }
    }
    if (oldest == nullptr) return add_slot();
    context_.exchange([this, oldest] { context_.queue.wait(oldest->ticket); });
    return *oldest;
  }

  GradientSlot& slot_of(std::size_t bucket) {
    for (GradientSlot& slot : slots_) {
      if (slot.bucket == bucket) return slot;
    }
    EDT_ASSERT(false);
    return slots_.front();
  }

  ZeroContext context_;
  SumShare share_;
  std::unique_ptr<PartSums> sums_;
  std::deque<GradientSlot> slots_;
  int index_ = 0;
};

}  // namespace

std::unique_ptr<Gradients> make_sharded_gradients(const ZeroContext& context, int micro_batches) {
  return std::make_unique<ShardedGradients>(context, micro_batches);
}

}  // namespace edt
