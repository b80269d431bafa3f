#include <algorithm>
#include <utility>

#include "parallel/zero/weights.h"

namespace edt {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

// The buckets in the order in which a micro-batch uses them: learnt from one, right for the next.
class UseOrder {
 public:
  void restart() { position_ = 0; }
  void use(std::size_t bucket) {
    if (position_ == order_.size() || order_[position_] != bucket) {
      order_.resize(position_);  // another order than last time: learn again from here
      order_.push_back(bucket);
    }
    ++position_;
  }
  // The next `count` buckets, fewer at the end of the micro-batch.
  std::span<const std::size_t> ahead(std::size_t count) const {
    return std::span(order_).subspan(position_, std::min(count, order_.size() - position_));
  }

 private:
  std::vector<std::size_t> order_;
  std::size_t position_ = 0;
};

struct WeightSlot {
  Block block;
  std::size_t bucket = kNone;
  CommunicationQueue::Ticket ticket = 0;  // of its gathering
};

class GatheredWeights final : public Weights {
 public:
  GatheredWeights(const ZeroContext& context, const SourceArray& source, DType dtype)
      : context_(context), source_(source), dtype_(dtype) {
    const auto bytes = static_cast<std::size_t>(context.plan.largest()) * size_of(dtype);
    for (int i = 0; i <= context.config.prefetch; ++i) {
      slots_.push_back({.block = zeroed_block(context.device, bytes)});
    }
  }

  void begin_micro_batch() override {
    order_.restart();
    current_ = kNone;
    prefetch();
  }

  std::size_t arriving() const override { return 0; }
  // Slots are used again within a micro-batch.
  bool is_resident(std::size_t) const override { return false; }

  void provide(std::size_t bucket) override {
    if (bucket == current_) return;
    order_.use(bucket);
    current_ = bucket;
    const std::size_t slot = slot_with(bucket);
    context_.queue.wait(slots_[slot].ticket);
    bind(bucket, &slots_[slot]);
    prefetch();
  }

  std::span<bfloat16> working(std::size_t) const override { return {}; }

  // What was gathered is old now.
  void changed(std::size_t bucket, bool) override {
    for (WeightSlot& slot : slots_) {
      if (slot.bucket == bucket) drop(slot);
    }
  }

  std::vector<MemoryUse> bytes_by_category() const override {
    std::size_t bytes = 0;
    for (const WeightSlot& slot : slots_) bytes += slot.block.bytes();
    return {{source_.is_average ? "gathered average" : "gathered weights", bytes}};
  }

 private:
  std::size_t find(std::size_t bucket) const {
    const auto found = std::ranges::find(slots_, bucket, &WeightSlot::bucket);
    return found == slots_.end() ? kNone : static_cast<std::size_t>(found - slots_.begin());
  }

  std::size_t slot_with(std::size_t bucket) {
    const std::size_t slot = find(bucket);
    return slot == kNone ? gather(bucket) : slot;
  }

  void prefetch() {
    const auto count = static_cast<std::size_t>(context_.config.prefetch);
    for (const std::size_t bucket : order_.ahead(count)) slot_with(bucket);
  }

  // Begins to gather into a slot that holds neither the present bucket nor one of the next: as
  // there is one slot more than buckets ahead, there is such a slot.
  std::size_t gather(std::size_t bucket) {
    const auto next = order_.ahead(static_cast<std::size_t>(context_.config.prefetch));
    const auto spare = std::ranges::find_if(slots_, [&](const WeightSlot& slot) {
      return slot.bucket == kNone ||
             (slot.bucket != current_ && std::ranges::find(next, slot.bucket) == next.end());
    });
    EDT_ASSERT(spare != slots_.end());
    drop(*spare);
    spare->bucket = bucket;
    spare->ticket = context_.queue.submit([this, to = &*spare] { fill(*to); });
    return static_cast<std::size_t>(spare - slots_.begin());
  }

  void drop(WeightSlot& slot) {
    if (slot.bucket == kNone) return;
    context_.queue.wait(slot.ticket);
    bind(slot.bucket, nullptr);
    slot.bucket = kNone;
  }

  // On the queue's thread.
  void fill(const WeightSlot& slot) {
    const PlannedBucket& planned = context_.plan.bucket(slot.bucket);
    const Tensor all{slot.block.data(), {planned.range.elements()}, dtype_};
    const std::int64_t begin = planned.kept.begin - planned.range.begin;
    convert_weights(context_.queue.device(),
                    source_.values.subspan(static_cast<std::size_t>(planned.kept_at),
                                           static_cast<std::size_t>(planned.kept.elements())),
                    all.slice(begin, begin + planned.kept.elements()));
    if (context_.shard_ranks == nullptr) return;
    context_.shard_ranks->all_gather_parts(all, planned.bounds, label_of(planned, source_));
  }

  // nullptr: the values are gone, and reading them is an error that is seen at once.
  void bind(std::size_t bucket, const WeightSlot* slot) {
    const PlannedBucket& planned = context_.plan.bucket(bucket);
    const std::size_t last = std::min(planned.last, context_.parameters.size());
    for (std::size_t t = planned.first; t < last; ++t) {
      const FlatTensor& tensor = context_.plan.layout().tensor(t);
      Tensor value{nullptr, tensor.shape, dtype_};
      if (slot != nullptr) {
        const auto offset = static_cast<std::size_t>(tensor.offset - planned.range.begin);
        value.data = static_cast<std::byte*>(slot->block.data()) + offset * size_of(dtype_);
      }
      context_.parameters[t]->value = value;
    }
  }

  ZeroContext context_;
  SourceArray source_;
  DType dtype_;
  std::vector<WeightSlot> slots_;
  UseOrder order_;
  std::size_t current_ = kNone;
};

}  // namespace

std::unique_ptr<Weights> make_gathered_weights(const ZeroContext& context,
                                               const SourceArray& source, DType dtype) {
  return std::make_unique<GatheredWeights>(context, source, dtype);
}

}  // namespace edt
