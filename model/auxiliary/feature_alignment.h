// REPA (arXiv 2410.06940): tokens of an early block, through a small network, are to have the
// direction of the features that another network gives of the clean picture. These stand in the
// data set, beside the latents.
#pragma once

#include <vector>

#include "model/auxiliary/auxiliary_config.h"
#include "model/auxiliary/head.h"
#include "model/training/auxiliary_loss.h"

namespace edt {

class FeatureAlignment final : public AuxiliaryLoss {
 public:
  static constexpr const char* kPart = "align.features";

  // Adds the projectors to `model`, which is that of `config`.
  FeatureAlignment(const FeatureAlignmentConfig& alignment, const ModelConfig& config,
                   Model& model);

  const std::vector<LossTerm>& terms() const override { return terms_; }
  std::vector<std::int64_t> taps() const override { return {alignment_.after}; }
  std::vector<ArrayRequest> arrays() const override { return requests_; }
  void add_inputs(InputBuffers& inputs, std::int64_t batch, std::int64_t passes) override;
  std::int64_t rows() const override { return rows_; }
  void fill(StepKey key, const MicroBatch& batch, InputBuffers& inputs) override;
  std::vector<Var> operator()(Tape& tape, const StepView& step, const Tensor& losses) override;

  // What projector `i` makes of tokens [rows, T, width]: [rows, T, dims of its array].
  Var project(Tape& tape, std::size_t i, const Var& tokens) const {
    return projectors_[i](tape, tokens);
  }

 private:
  FeatureAlignmentConfig alignment_;
  std::vector<ArrayRequest> requests_;
  std::vector<MlpHead> projectors_;
  std::vector<LossTerm> terms_;  // one for each array
  std::int64_t batch_ = 0, rows_ = 0;
  std::size_t weights_ = 0, ones_ = 0;
  std::vector<std::size_t> targets_;
};

}  // namespace edt
