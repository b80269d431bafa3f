#include "core/ops/cases/op_case.h"

namespace edt {

OpCases test_cases() {
  OpCases cases;
  add_linear_cases(cases);
  add_bias_cases(cases);
  add_mlp_cases(cases);
  add_activation_cases(cases);
  add_norm_cases(cases);
  add_gate_cases(cases);
  add_head_cases(cases);
  add_attention_cases(cases);
  add_token_cases(cases);
  add_embedding_cases(cases);
  add_layout_cases(cases);
  add_diffusion_cases(cases);
  add_attention_map_cases(cases);
  add_token_loss_cases(cases);
  add_ternary_cases(cases);
  add_modulation_cases(cases);
  add_text_cases(cases);
  add_region_cases(cases);
  add_fold_cases(cases);
  add_compressed_attention_cases(cases);
  add_state_space_cases(cases);
  add_unit_mask_cases(cases);
  add_unit_gate_cases(cases);
  add_picture_cases(cases);
  return cases;
}

namespace {

// The blocks of each stage.
void add_stages(OpCases& cases, std::int64_t batch, const std::vector<BenchStage>& stages) {
  for (const auto& [tokens, width, heads] : stages) {
    const Shape x{batch, tokens, width};
    cases.push_back(linear_case(x, 3 * width));
    cases.push_back(ternary_linear_case(x, 3 * width));
    cases.push_back(add_bias_case(x));
    cases.push_back(mlp_case(x, 4 * width));
    cases.push_back(kept_mlp_case(x, 4 * width));
    cases.push_back(modulated_norm_case(x, 6, {0, 1}));
    cases.push_back(gate_case(x, 6, 2));
    cases.push_back(gate_norm_case({x, false, {3, 4}, false, GateNormShape::Read::kNorm}));
    cases.push_back(attention_case({batch, tokens, heads, width / heads}));
    cases.push_back(modulated_attention_case({batch, tokens, heads, width / heads}));
  }
}

// What comes once in a model, or may be added to its blocks.
void add_first_stage(OpCases& cases, std::int64_t batch, const BenchStage& stage) {
  const auto& [tokens, width, heads] = stage;
  cases.push_back(linears_ahead_case({batch, width}, 6 * width, 4));
  cases.push_back(rms_norm_case({batch, 6 * width}));
  cases.push_back(affine_modulation_case({batch, 6 * width}));
  cases.push_back(mask_units_case({batch, tokens, 4 * width}, 4 * width));
  cases.push_back(mask_units_case({batch, tokens, width}, heads));
  cases.push_back(mask_units_case({4, tokens / 4 * batch, 4 * width}, heads, 4));
  cases.push_back(gate_tokens_case({4, tokens, width}));
  cases.push_back(unit_gate_case({batch, tokens}, 0, batch));
  const std::vector<std::int32_t> whole(static_cast<std::size_t>(batch), 77);
  cases.push_back(cross_attention_case({tokens, heads, width / heads, 77, whole}));
  // Linear attention and the state-space layer.
  const TokenGrid grid = covering_grid(tokens);
  cases.push_back(token_convolution_case(batch, grid, width, width / 4));
  cases.push_back(token_group_norm_case({batch, tokens, width / 4}, 2));
  cases.push_back(depthwise_convolution_case(batch, grid, width, 2));
  cases.push_back(kernel_attention_case({batch, tokens, heads, width / heads}, tokens / 4));
  cases.push_back(ssm2d_kernel_case(grid, {2 * width, 4, 16, false, width}));
  cases.push_back(grid_convolution_case(batch, grid, width, 2));
  // Between the stages, and the condition.
  cases.push_back(merge_norm_case({batch, tokens, width}, true));
  cases.push_back(concat_norm_case({batch, tokens, width}));
  cases.push_back(pixel_shuffle_case({batch, tokens / 4, 4 * width}));
  cases.push_back(activation_case(Activation::kSilu, {batch, width}));
  cases.push_back(activation_case(Activation::kGeluTanh, {batch, tokens, 4 * width}));
}

void add_other_models(OpCases& cases, std::int64_t batch) {
  // MDTv2-S and DiT-S: 384 wide, heads of 64, 154 of 256 tokens visible.
  cases.push_back(concat_linear_case({batch, 256, 384}, 384, 384));
  cases.push_back(attention_case({batch, 256, 6, 64}, 3));
  cases.push_back(plain_attention_case({batch, 256, 6, 64}));
  cases.push_back(visible_attention_case({batch, 154, 6, 64}, TokenGrid::square(16), 3));
  cases.push_back(gather_tokens_case({batch, {16, 16}, 154, 384}));
  cases.push_back(restore_tokens_case({batch, {16, 16}, 154, 384}));
  cases.push_back(add_positions_case({batch, 256, 384}));
  // LightningDiT-B/1: 768 wide, heads of 64, 2048 hidden units.
  cases.push_back(modulated_rms_norm_case({batch, 256, 768}, 6, {0, 1}));
  cases.push_back(swiglu_case({batch, 256, 768}, 2048));
  cases.push_back(mlp_case({batch, 256, 768}, 3072));  // DiT-B's, to compare with
  cases.push_back(head_transform_case({batch, 256, 12, 64}, HeadNormCase::kNone, true));
  cases.push_back(head_transform_case({batch, 256, 12, 64}, HeadNormCase::kRms, true));
  // E-MMDiT at 512 pixels: 256 tokens and 128 of text, four regions; its compressor.
  cases.push_back(stacked_linear_case({batch, 256, 768}, 768));
  cases.push_back(affine_norm_case({batch, 256, 768}, true));
  cases.push_back(join_tokens_case({batch, 256, 3 * 768}, 128, {4, 4}));
  cases.push_back(fold_tokens_case({batch, 256, 768}, {16, 16}, 4));
  cases.push_back(unfold_tokens_case({batch, 16, 768}, {16, 16}, 4));
}

void add_pictures(OpCases& cases) {
  // The autoencoder of Stable Diffusion, one picture of 256 pixels.
  cases.push_back(convolution_case(same_size(128, 128, 3), {1, 256, 256, 128}));
  cases.push_back(convolution_case(same_size(512, 512, 3), {1, 64, 64, 512}));
  ConvolutionForm doubled = same_size(256, 256, 3);
  doubled.doubled = true;
  cases.push_back(convolution_case(doubled, {1, 128, 128, 256}));
  cases.push_back(group_norm_silu_case({1, 256, 256, 128}, 32));
  cases.push_back(wide_attention_case({1, 32, 32, 512}));
}

void add_losses(OpCases& cases, std::int64_t batch) {
  cases.push_back(
      diffusion_loss_case(std::vector<int>(static_cast<std::size_t>(batch), 500), 32, 1, 1));
  cases.push_back(attention_map_case({batch, 64, 416}));
  cases.push_back(token_loss_case({batch, 256, 16}, {Distance::kSquare}));
  cases.push_back(token_loss_case({batch, 256, 32}, {Distance::kDirection, 32}));
}

}  // namespace

std::vector<BenchStage> small_stages() { return {{256, 312, 6}, {64, 416, 8}, {16, 520, 10}}; }

OpCases bench_cases(std::int64_t batch, const std::vector<BenchStage>& stages) {
  OpCases cases;
  add_stages(cases, batch, stages);
  add_first_stage(cases, batch, stages.front());
  add_other_models(cases, batch);
  add_pictures(cases);
  add_losses(cases, batch);
  return cases;
}

}  // namespace edt
