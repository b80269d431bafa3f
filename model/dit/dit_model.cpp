#include "model/dit/dit_model.h"

#include "model/blocks/grid_checks.h"
#include "model/positions.h"

namespace edt {

DitModel::DitModel(const DitConfig& config, Device& device, DType dtype, TensorGroup ranks)
    : Model(config, ranks), config_(config) {
  config_.validate();
  check_tensor_degree(config_.name, config_.tensor_degrees(), ranks);
  const std::int64_t width = config_.width, tokens = config_.patches();
  fixed_tables_.push_back({"pos_embed",
                           {1, tokens, width},
                           sincos_positions(width, config_.latents.height / config_.patch,
                                            config_.latents.width / config_.patch)});
  positions_ = constant(device, fixed_tables_.back().values, {tokens, width}, dtype);
  patch_embedding_ = PatchEmbedding::make(parameters_, width, config_);
  embedding_ = ConditionEmbedding::make(parameters_, width, config_.classes);
  for (std::int64_t b = 0; b < config_.depth; ++b) {
    blocks_.push_back(TransformerBlock::make(parameters_, "blocks." + std::to_string(b),
                                             {.width = width,
                                              .heads = config_.heads,
                                              .mlp_ratio = config_.mlp_ratio,
                                              .condition = width}));
  }
  final_ = FinalLayer::make(parameters_, width, config_.patch_outputs());
}

Var DitModel::forward(Tape& tape, const ModelInputs& inputs) {
  Var x = patch_embedding_(tape, inputs.image, positions_);
  const Var condition =
      copy_to_tensor_ranks(tape, embedding_(tape, inputs.t, inputs.labels),
                           parameters_.tensor_ranks(), "gradient of the condition");
  const StageModulation modulation(tape, blocks_, condition);
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    x = blocks_[i](tape, x, modulation.chunks(tape, i), {}, recompute_);
  }
  return final_(tape, x, condition);
}

}  // namespace edt
