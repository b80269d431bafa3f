// Forward and backward of a golden model on the inputs of its file.
#pragma once

#include <string>
#include <vector>

#include "tests/golden/golden_model.h"

namespace edt::test {

struct GoldenPass {
  double mean = 0;
  std::vector<float> mse, vb, x_t;
};

class GoldenRun {
 public:
  // Reads all it needs of the file.
  GoldenRun(const GoldenFile& file, Backend& backend, DType dtype, TensorGroup ranks = {});

  GoldenModel& golden() { return golden_; }
  // One pass of the objective. Parameter gradients add up over passes.
  GoldenPass full_pass() { return run(noise_, {}); }
  GoldenPass masked_pass() { return run(noise_masked_, masks_); }
  // The model's output as images.
  std::vector<float> output();

 private:
  Tensor read(const GoldenFile& file, const std::string& name);
  GoldenPass run(const Tensor& noise, const std::vector<Tensor>& masks);

  Backend& backend_;
  GoldenModel golden_;
  std::vector<std::int32_t> timesteps_;
  Tensor x_start_, noise_, noise_masked_, x_t_, t_, labels_;
  std::vector<Tensor> masks_;
};

}  // namespace edt::test
