// Arrays beside the latents of a micro-batch that need no data set: for dry runs and benchmarks.
#pragma once

#include <span>
#include <vector>

#include "model/training/micro_batch.h"

namespace edt {

class ArrayBatch {
 public:
  // Zeros for `samples` samples of each array; texts are as long as any may be.
  ArrayBatch(std::span<const ArrayRequest> requests, std::int64_t samples) {
    std::int64_t tokens = 0;
    for (const ArrayRequest& request : requests) {
      if (request.name == kTextArray) tokens = request.shape[0];
      const bool is_length = request.name == kTextLengthArray;
      values_.emplace_back(static_cast<std::size_t>(samples * request.elements()),
                           is_length ? static_cast<float>(tokens) : 0.f);
    }
    for (const std::vector<float>& values : values_) spans_.emplace_back(values);
  }
  ArrayBatch(const ArrayBatch&) = delete;
  ArrayBatch& operator=(const ArrayBatch&) = delete;

  std::vector<std::vector<float>>& values() { return values_; }
  const std::vector<std::vector<float>>& values() const { return values_; }
  std::span<const std::span<const float>> spans() const { return spans_; }

 private:
  std::vector<std::vector<float>> values_;
  std::vector<std::span<const float>> spans_;
};

}  // namespace edt
