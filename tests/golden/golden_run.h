// Forward and backward of a golden model on the inputs of its file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/golden/golden_model.h"

namespace edt::test {

struct GoldenPass {
  std::vector<float> mse, vb;
};

struct GoldenStep {
  GoldenPass full;
  std::optional<GoldenPass> masked;
  double loss = 0;  // the means of the passes added up
  std::vector<float> x_t;
};

class GoldenRun {
 public:
  // Reads all it needs of the file.
  GoldenRun(const GoldenFile& file, Backend& backend, DType dtype, TensorGroup ranks = {});

  GoldenModel& golden() { return golden_; }
  // Loss and gradients, of both passes together where the model has a masked one.
  GoldenStep step();
  // The model's output as images.
  std::vector<float> output();

 private:
  std::int64_t batch() const { return static_cast<std::int64_t>(timesteps_.size()); }
  std::int64_t passes() const { return golden_.model().has_masked_pass() ? 2 : 1; }
  // `values` once for each pass.
  std::vector<float> repeated(const std::vector<float>& values) const;
  Tensor accurate(const std::vector<float>& values, Shape shape);
  void read_masks(const GoldenFile& file);

  Backend& backend_;
  GoldenModel golden_;
  std::vector<std::int32_t> timesteps_;
  Shape image_;  // of one pass
  std::vector<float> x_start_, noise_, t_, x_t_;
  std::vector<std::int64_t> labels_;
  PassMasks masks_;
};

}  // namespace edt::test
