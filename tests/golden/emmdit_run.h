// Forward and backward of E-MMDiT on the inputs of a golden file: texts, a flow, features of REPA.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/auxiliary/feature_alignment.h"
#include "model/emmdit/emmdit_model.h"
#include "tests/golden/golden_model.h"

namespace edt::test {

EmmditConfig emmdit_config(const GoldenFile& file);

// By the names that the file has under /expected.
using GoldenValues = std::map<std::string, std::vector<float>>;

class EmmditRun {
 public:
  // Reads all it needs of the file.
  EmmditRun(const GoldenFile& file, Backend& backend, DType dtype, TensorGroup ranks = {});

  GoldenModel& golden() { return golden_; }
  const std::vector<float>& x_t() const { return x_t_; }
  bool has_features() const { return alignment_ != nullptr; }

  // Losses and gradients: tokens_train, block0_tokens, mse, diffusion_loss; of REPA, as published,
  // repa_projection, repa_loss and total_loss.
  GoldenValues step();
  // The network's output as pictures.
  std::vector<float> output();
  // Velocities [B, C, S, S] at x [B, C, S, S] of one time, with these texts [B, L, channels].
  std::vector<float> velocity(const std::vector<float>& x, double sigma,
                              const std::vector<float>& texts);
  // Tokens of the picture that these blocks give, counted from 1.
  std::map<std::int64_t, std::vector<float>> tokens_after(const std::vector<std::int64_t>& blocks);

  // Tokens of all rows on the device, in the type of activations.
  Var value(const std::vector<float>& values, const Shape& shape);
  Tensor told(const std::vector<float>& sigma);
  Tensor texts(const std::vector<float>& features);
  std::int64_t batch() const { return static_cast<std::int64_t>(sigma_.size()); }
  const std::vector<float>& sigma() const { return sigma_; }
  const std::vector<float>& text() const { return text_; }

 private:
  Tensor accurate(const std::vector<float>& values, const Shape& shape);
  Shape image_shape(std::int64_t rows) const;
  ModelInputs inputs(const std::vector<float>& x, const std::vector<float>& sigma,
                     const std::vector<float>& text);
  void add_features(const GoldenFile& file);
  Var flow_loss(const Var& tokens, const Tensor& losses);
  Var feature_loss(const Var& projected, const Tensor& losses);

  Backend& backend_;
  EmmditConfig config_;
  GoldenModel golden_;
  std::unique_ptr<FeatureAlignment> alignment_;  // of files with features
  double repa_weight_ = 0;
  std::vector<float> x_start_, noise_, x_t_, sigma_, text_, features_;
};

}  // namespace edt::test
