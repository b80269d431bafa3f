// Parameters of a second model whose values are an array of the state, as the moving average: they
// are read, and nothing is trained there.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "parallel/zero/weights.h"

namespace edt {

class WeightReader final : public ParameterOwner {
 public:
  // `copies` have the names and shapes of the first tensors of the layout; of buckets behind them
  // nothing is kept, and nothing travels.
  WeightReader(const ZeroContext& context, std::vector<Parameter*> copies,
               const SourceArray& source, bool gathered, DType dtype);

  // The array has changed. All ranks call it.
  void changed();
  void begin_micro_batch() { weights_->begin_micro_batch(); }
  std::size_t arriving() const { return weights_->arriving(); }
  std::vector<MemoryUse> bytes_by_category() const { return weights_->bytes_by_category(); }

  void before_read(Parameter& parameter) override { weights_->provide(bucket_of(parameter)); }
  bool is_resident(const Parameter& parameter) const override {
    return weights_->is_resident(bucket_of(parameter));
  }
  void before_write(Parameter& parameter) override;
  void gradient_final(Parameter& parameter) override { before_write(parameter); }

 private:
  std::size_t bucket_of(const Parameter& parameter) const { return bucket_of_.at(&parameter); }

  std::vector<Parameter*> copies_;
  std::unordered_map<const Parameter*, std::size_t> bucket_of_;
  std::size_t buckets_;  // that hold tensors of the copies
  std::unique_ptr<Weights> weights_;
};

}  // namespace edt
