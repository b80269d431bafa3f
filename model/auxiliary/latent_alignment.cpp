#include "model/auxiliary/latent_alignment.h"

#include <algorithm>
#include <cmath>

namespace edt {

LatentAlignmentConfig LatentAlignmentConfig::resolved(const ModelConfig& model) const {
  LatentAlignmentConfig config = *this;
  if (after == 0) config.after = model.early_block(2, 8);
  return config;
}

LatentAlignment::LatentAlignment(const LatentAlignmentConfig& alignment, const ModelConfig& config,
                                 Model& model)
    : alignment_(alignment.resolved(config)),
      terms_{{.name = "align_latent", .weight = alignment.course.weight, .beside = true}} {
  const TokenSite site = config.site_after(alignment_.after, "align.latent.after");
  const LatentShape& latents = config.latents();
  patch_ = latents.height / site.grid.rows;
  const auto hidden =
      static_cast<std::int64_t>(std::llround(alignment_.hidden * static_cast<double>(site.width)));
  std::vector<std::int64_t> widths(static_cast<std::size_t>(alignment_.layers) + 1, hidden);
  widths.front() = site.width;
  widths.back() = patch_ * patch_ * latents.channels;
  const ParameterList::Part part(model.parameters(), kPart);
  head_ = MlpHead::make(model.parameters(), sequential_names("align_head.net", alignment_.layers),
                        widths);
}

void LatentAlignment::add_inputs(InputBuffers& inputs, std::int64_t batch, std::int64_t passes) {
  rows_ = alignment_.pass == CompanionPass::kBoth ? passes * batch : batch;
  weights_ = inputs.add({rows_}, DType::kFloat32);
  ones_ = inputs.add({rows_}, DType::kFloat32);
  mix_ = inputs.add({rows_, 2}, DType::kFloat32);
}

void LatentAlignment::fill(StepKey key, const MicroBatch& batch, InputBuffers& inputs) {
  const auto factor = static_cast<float>(alignment_.course.factor(key.step));
  const auto weights = inputs.host<float>(weights_);
  for (std::size_t row = 0; row < weights.size(); ++row) {
    weights[row] = factor * batch.weights[row % batch.weights.size()];
  }
  std::ranges::fill(inputs.host<float>(ones_), 1.f);
  const auto mix = inputs.host<float>(mix_);
  for (std::size_t i = 0; i < mix.size(); ++i) mix[i] = i % 2 == 0 ? 1.f : 0.f;
}

// The target is the latent as the network is given it without noise: the noise's share is 0.
std::vector<Var> LatentAlignment::operator()(Tape& tape, const StepView& step,
                                             const Tensor& losses) {
  const Var tokens = step.taps.tokens(tape, alignment_.after, rows_);
  const Var predicted = predict(tape, tokens);
  const Var target = tape.make(predicted.shape(), tape.accurate_dtype());
  {
    Profiler::Scope scope(tape.profiler(), "token_loss.forward");
    backend_of(tape).noise_target(step.images.x_start.slice(0, rows_),
                                  step.images.noise.slice(0, rows_), step.inputs.tensor(mix_),
                                  patch_, target.tensor());
  }
  const TokenLossInputs inputs{
      target,
      step.inputs.tensor(ones_),
      step.inputs.tensor(weights_),
      {alignment_.distance, step.images.x_start.shape[1], alignment_.beta}};
  return {token_loss(tape, predicted, inputs,
                     losses.slice(0, 1).reshaped({losses.shape[1]}).slice(0, rows_))};
}

}  // namespace edt
