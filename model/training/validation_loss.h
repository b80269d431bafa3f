// The loss of given samples at given times with fixed noise: what a model is judged by while it
// trains, and after. Nothing of a step is drawn, neither dropped labels nor masks, so that two
// losses differ by the weights alone.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/autograd/tape.h"
#include "model/training/objective.h"

namespace edt {

struct ValidationRows {
  std::span<const float> latents;                   // [n, C, H, W]
  std::span<const std::int32_t> labels;             // [n]
  std::span<const double> times;                    // [n], of the process
  std::span<const std::int32_t> noises;             // [n], which noise: its number beside the seed
  std::span<const std::vector<float>> arrays = {};  // of Model::arrays(), each [n, ...]
};

class ValidationLoss {
 public:
  // Of the model as it is bound; `owner` is told of every parameter that is read, as of a tape.
  // `batch` rows go through the model at a time.
  ValidationLoss(Model& model, Backend& backend, DType dtype, const DenoisingLossConfig& loss,
                 std::int64_t batch, ParameterOwner* owner = nullptr);

  std::int64_t batch() const { return batch_; }
  // The weighted sum of the terms of each row, at most batch() of them. Missing ones are filled up
  // with copies: every pass has the same shape, so a row has the same bits in its place.
  std::vector<double> run(std::uint64_t seed, const ValidationRows& rows);

 private:
  std::int64_t batch_;
  Backend& backend_;
  Profiler profiler_;
  Arena arena_;
  Tape tape_;
  Objective objective_;
  Block losses_;  // [terms, batch]
};

}  // namespace edt
