// Forward and backward of a golden model on the inputs of its file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/auxiliary/companions.h"
#include "tests/golden/golden_model.h"

namespace edt::test {

struct GoldenPass {
  std::vector<float> mse, vb;  // vb: of predicted noise
};

struct GoldenStep {
  GoldenPass full;
  std::optional<GoldenPass> masked;
  double loss = 0;  // the means of the passes added up, and those beside with their weights
  std::vector<std::vector<float>> beside;  // terms of companions, row by row
  std::vector<float> x_t;
};

class GoldenRun {
 public:
  // Reads all it needs of the file. `config`: golden_config() of it, perhaps of another process.
  GoldenRun(const GoldenFile& file, const ModelConfig& config, Backend& backend, DType dtype,
            TensorGroup ranks = {});
  GoldenRun(const GoldenFile& file, Backend& backend, DType dtype, TensorGroup ranks = {})
      : GoldenRun(file, golden_config(file), backend, dtype, ranks) {}

  // Companions whose parameters have names in the file that begin with `prefix`, as
  // /inputs/features has the arrays that they ask for.
  void add_companions(const GoldenFile& file, const AuxiliaryConfig& auxiliary,
                      const std::string& prefix = "/params/");

  GoldenModel& golden() { return golden_; }
  // Loss and gradients, of both passes together where the model has a masked one; `denoising`: the
  // weight of its loss.
  GoldenStep step(double denoising = 1);
  // The model's output as images, on the noised images of the full pass; with its labels, or
  // others.
  std::vector<float> output(std::vector<std::int64_t> labels = {});
  const std::vector<double>& times() const { return times_; }

 private:
  std::int64_t batch() const { return static_cast<std::int64_t>(times_.size()); }
  std::int64_t passes() const { return masked_ ? 2 : 1; }
  // `values` once for each pass.
  std::vector<float> repeated(const std::vector<float>& values) const;
  Tensor accurate(const std::vector<float>& values, Shape shape);
  // The conditions of frames, once for each of so many passes; undefined: the network reads none.
  Tensor frames(std::int64_t passes);
  void read_masks(const GoldenFile& file);
  ObjectiveConfig objective() const;
  // Inputs of companions for a step with importance weights of 1.
  void fill(InputBuffers& inputs);
  // Of x_0, noise and weights on the device: the mean of all rows, with the terms of each.
  Var loss(const Var& tokens, const LossInputs& inputs, const Tensor& mse, const Tensor& vb);

  Backend& backend_;
  GoldenModel golden_;
  bool masked_;  // the model has a masked pass, and the file values of it
  std::vector<std::unique_ptr<AuxiliaryLoss>> companions_;
  std::vector<std::vector<float>> arrays_;  // that they ask for
  std::vector<double> times_;
  Shape image_;  // of one pass
  std::vector<float> x_start_, noise_, told_, scales_;
  std::vector<float> frames_;         // of one pass
  std::vector<std::int64_t> labels_;  // of all passes
  PassMasks masks_;
};

}  // namespace edt::test
