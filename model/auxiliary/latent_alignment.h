// VAE-REPA, later named SRA 2 (arXiv 2601.17830): a head on the tokens of an early block predicts
// the clean latent. It needs no data and no network besides. No code of it is published; the head
// is one that has the sizes and the cost of the paper (docs/companions.md).
#pragma once

#include "model/auxiliary/auxiliary_config.h"
#include "model/auxiliary/head.h"
#include "model/training/auxiliary_loss.h"

namespace edt {

class LatentAlignment final : public AuxiliaryLoss {
 public:
  static constexpr const char* kPart = "align.latent";

  // Adds the head to `model`, which is that of `config`.
  LatentAlignment(const LatentAlignmentConfig& alignment, const ModelConfig& config, Model& model);

  const std::vector<LossTerm>& terms() const override { return terms_; }
  std::vector<std::int64_t> taps() const override { return {alignment_.after}; }
  void add_inputs(InputBuffers& inputs, std::int64_t batch, std::int64_t passes) override;
  std::int64_t rows() const override { return rows_; }
  void fill(StepKey key, const MicroBatch& batch, InputBuffers& inputs) override;
  std::vector<Var> operator()(Tape& tape, const StepView& step, const Tensor& losses) override;

  // The latents [rows, T, p*p*C] in the order of tokens that the head makes of them.
  Var predict(Tape& tape, const Var& tokens) const { return head_(tape, tokens); }
  // Sides of the square of latents that a token stands for.
  std::int64_t patch() const { return patch_; }

 private:
  LatentAlignmentConfig alignment_;
  std::int64_t patch_;
  MlpHead head_;
  std::vector<LossTerm> terms_;
  std::int64_t rows_ = 0;
  std::size_t weights_ = 0, ones_ = 0, mix_ = 0;
};

}  // namespace edt
