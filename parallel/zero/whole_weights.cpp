#include "parallel/zero/weights.h"

#include <algorithm>
#include <utility>

namespace edt {
namespace {

class WholeWeights final : public Weights {
 public:
  WholeWeights(const ZeroContext& context, const SourceArray& source, DType dtype)
      : context_(context),
        source_(source),
        dtype_(dtype),
        is_source_(dtype == DType::kFloat32 && context.plan.state_is_whole()),
        arrivals_(context.plan.buckets().size()) {
    if (!is_source_) {
      const auto bytes = static_cast<std::size_t>(context.plan.layout().size()) * size_of(dtype);
      memory_ = context.shared_weights != nullptr ? Block(*context.shared_weights, bytes)
                                                  : zeroed_block(context.device, bytes);
    }
    for (std::size_t t = 0; t < context_.parameters.size(); ++t) {
      const FlatTensor& tensor = context_.plan.layout().tensor(t);
      context_.parameters[t]->value = at(tensor.offset, tensor.elements()).reshaped(tensor.shape);
    }
  }

  void begin_micro_batch() override {}

  std::size_t arriving() const override {
    return static_cast<std::size_t>(
        std::ranges::count_if(arrivals_, [this](auto ticket) { return ticket > arrived_; }));
  }

  // Known from what was waited for, not from the time it takes: ranks and replays agree on it.
  bool is_resident(std::size_t bucket) const override { return arrivals_[bucket] <= arrived_; }

  void provide(std::size_t bucket) override {
    if (is_resident(bucket)) return;
    context_.exchange([this, bucket] {
      context_.queue.wait(arrivals_[bucket]);
      arrived_ = arrivals_[bucket];
    });
  }

  std::span<bfloat16> working(std::size_t bucket) const override {
    if (dtype_ != DType::kBFloat16 || source_.is_average) return {};
    const FlatRange range = context_.plan.bucket(bucket).kept;
    return at(range.begin, range.elements()).span<bfloat16>();
  }

  void changed(std::size_t bucket, bool rounded) override {
    if (!is_source_ && !(rounded && dtype_ == DType::kBFloat16)) {
      const PlannedBucket& planned = context_.plan.bucket(bucket);
      const FlatRange range = planned.kept;
      convert_weights(context_.device,
                      source_.values.subspan(static_cast<std::size_t>(planned.kept_at),
                                             static_cast<std::size_t>(range.elements())),
                      at(range.begin, range.elements()));
    }
    if (context_.plan.state_is_whole()) return;
    arrivals_[bucket] = context_.queue.submit([this, bucket] {
      const PlannedBucket& planned = context_.plan.bucket(bucket);
      // The others have written their parts to the same memory.
      if (context_.shared_weights != nullptr) {
        return context_.shard_ranks->barrier(label_of(planned, source_));
      }
      context_.shard_ranks->all_gather_parts(at(planned.range.begin, planned.range.elements()),
                                             planned.bounds, label_of(planned, source_));
    });
  }

  std::vector<MemoryUse> bytes_by_category() const override {
    if (context_.shared_weights != nullptr) {
      const auto ranks = static_cast<std::size_t>(context_.plan.groups().size);
      return {{source_.is_average ? "shared weights of the average" : "shared weights",
               memory_.bytes() / ranks}};
    }
    return {{source_.is_average ? "weights of the average" : "compute weights", memory_.bytes()}};
  }

 private:
  Tensor at(std::int64_t offset, std::int64_t elements) const {
    auto* base = is_source_ ? reinterpret_cast<std::byte*>(source_.values.data())
                            : static_cast<std::byte*>(memory_.data());
    return {base + static_cast<std::size_t>(offset) * size_of(dtype_), {elements}, dtype_};
  }

  ZeroContext context_;
  SourceArray source_;
  DType dtype_;
  bool is_source_;  // kernels read the array of the state itself
  Block memory_;
  std::vector<CommunicationQueue::Ticket> arrivals_;  // of the last update; 0: never travelled
  CommunicationQueue::Ticket arrived_ = 0;            // waited for, and so all before it
};

}  // namespace

std::unique_ptr<Weights> make_whole_weights(const ZeroContext& context, const SourceArray& source,
                                            DType dtype) {
  return std::make_unique<WholeWeights>(context, source, dtype);
}

const std::string& label_of(const PlannedBucket& bucket, const SourceArray& source) {
  return source.is_average ? bucket.average_label : bucket.weight_label;
}

void convert_weights(Device& device, std::span<const float> from, const Tensor& to) {
  EDT_ASSERT(to.elements() == static_cast<std::int64_t>(from.size()));
  if (from.empty()) return;
  device.copy({const_cast<float*>(from.data()), to.shape, DType::kFloat32}, to);
}

}  // namespace edt
