// One op case serves four uses: values and gradients of a backend against the reference, finite
// differences in float64, timing, and the list of what a backend supports.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ops/cases/case_inputs.h"

namespace edt {

struct OpCase {
  std::string op;     // the tape op or kernel: "linear"
  std::string shape;  // its parameters: "3x16x52 -> 312"
  // Applies the op once. A result that needs no gradient is compared by value only.
  std::function<Var(Tape&, CaseInputs&)> apply;

  bool inference = false;         // runs without recording
  bool float32_only = false;      // large: one value check, no finite differences
  double tolerance_factor = 1.0;  // times the tolerance of the dtype, with a reason beside it
  // Which elements of an input finite differences may move; all when empty.
  std::function<bool(std::string_view input, std::int64_t element)> movable = {};

  std::string name() const { return op + " " + shape; }
};

using OpCases = std::vector<OpCase>;

// All cases for tests: small and awkward sizes.
OpCases test_cases();
// Of blocks of a model that has stages.
struct BenchStage {
  std::int64_t tokens, width, heads;
};
// EDT-S/2's.
std::vector<BenchStage> small_stages();
// All cases for timing: a micro-batch of `batch` images. Those of other models than EDT have their
// own shapes.
OpCases bench_cases(std::int64_t batch, const std::vector<BenchStage>& stages = small_stages());

// The families of test_cases().
void add_linear_cases(OpCases& cases);
void add_bias_cases(OpCases& cases);
void add_mlp_cases(OpCases& cases);
void add_activation_cases(OpCases& cases);
void add_norm_cases(OpCases& cases);
void add_gate_cases(OpCases& cases);
void add_head_cases(OpCases& cases);
void add_attention_cases(OpCases& cases);
void add_token_cases(OpCases& cases);
void add_embedding_cases(OpCases& cases);
void add_layout_cases(OpCases& cases);
void add_diffusion_cases(OpCases& cases);
void add_attention_map_cases(OpCases& cases);
void add_token_loss_cases(OpCases& cases);
void add_ternary_cases(OpCases& cases);
void add_modulation_cases(OpCases& cases);
void add_text_cases(OpCases& cases);
void add_region_cases(OpCases& cases);
void add_fold_cases(OpCases& cases);
void add_compressed_attention_cases(OpCases& cases);
void add_state_space_cases(OpCases& cases);
void add_unit_mask_cases(OpCases& cases);
void add_unit_gate_cases(OpCases& cases);
void add_picture_cases(OpCases& cases);

// Makers shared by tests and timing.
struct LinearCaseOptions {
  bool bias = true;
  bool positions = false;
  bool input_gradient = true;
};
OpCase linear_case(const Shape& x, std::int64_t outputs, LinearCaseOptions options = {});
// `count` maps of one input, computed at once.
OpCase linears_ahead_case(const Shape& x, std::int64_t outputs, std::size_t count,
                          bool bias = true);
// Query, key and value.
OpCase stacked_linear_case(const Shape& x, std::int64_t outputs);
OpCase concat_linear_case(const Shape& a, std::int64_t b_columns, std::int64_t outputs);
OpCase add_bias_case(const Shape& x);
// `fc2_bias` false: as on a tensor rank, where the bias follows the sum.
OpCase mlp_case(const Shape& x, std::int64_t hidden, bool fc2_bias = true);
// gelu's result is kept for backward.
OpCase kept_mlp_case(const Shape& x, std::int64_t hidden);
OpCase swiglu_case(const Shape& x, std::int64_t hidden, bool fc2_bias = true);
// `chunks` chunks of width x[2] in the modulation tensor.
OpCase modulated_norm_case(const Shape& x, int chunks, ModulationChunks used);
OpCase modulated_rms_norm_case(const Shape& x, int chunks, ModulationChunks used);
// `modulated`: by chunks of six.
OpCase affine_norm_case(const Shape& x, bool modulated);
// On a square grid, where no other is given.
OpCase merge_norm_case(const Shape& x, bool masked, const TokenGrid& grid = {});
OpCase concat_norm_case(const Shape& x);
OpCase gate_case(const Shape& x, int chunks, int gate_chunk);
// Chunk 2 of six is the gate.
struct GateNormShape {
  enum class Read { kBoth, kNorm, kSum };

  Shape x;
  bool rms = false;
  ModulationChunks norm = {3, 4};
  bool next = false;  // the norm's modulation is another than the gate's
  Read read = Read::kBoth;
  bool apart = false;  // as two ops
};
OpCase gate_norm_case(const GateNormShape& shape);
std::vector<GateNormShape> gate_norm_shapes();  // small and awkward ones
struct AttentionShape {
  std::int64_t batch, tokens, heads, size;
  TokenGrid wide = {};  // of the tokens where it is not square

  TokenGrid grid() const { return wide.rows > 0 ? wide : covering_grid(tokens); }
};
OpCase attention_case(const AttentionShape& shape, std::int64_t spare_rows = 0);
OpCase plain_attention_case(const AttentionShape& shape);
enum class HeadNormCase { kNone, kRms, kLayer };
OpCase head_transform_case(const AttentionShape& shape, HeadNormCase norm, bool rotated,
                           bool by_sample = false);
// `shape.tokens` of the grid.
OpCase visible_attention_case(const AttentionShape& shape, const TokenGrid& grid,
                              std::int64_t spare_rows);
OpCase modulated_attention_case(const AttentionShape& shape);
struct VisibleShape {
  std::int64_t batch;
  TokenGrid grid;
  std::int64_t visible, width;
};
OpCase gather_tokens_case(const VisibleShape& shape);
OpCase restore_tokens_case(const VisibleShape& shape);
OpCase add_positions_case(const Shape& x);
OpCase activation_case(Activation kind, const Shape& x);
// Streams of x[1] and `second` tokens.
OpCase join_tokens_case(const Shape& x, std::int64_t second, const TokenRegions& regions);
OpCase fold_tokens_case(const Shape& x, const TokenGrid& grid, std::int64_t side);
OpCase unfold_tokens_case(const Shape& x, const TokenGrid& grid, std::int64_t side);
OpCase pixel_shuffle_case(const Shape& x, const TokenGrid& grid = {});
// A square kernel with as many zeros around the picture as keep its size.
ConvolutionForm same_size(std::int64_t inputs, std::int64_t outputs, std::int64_t kernel);
OpCase convolution_case(const ConvolutionForm& form, const Shape& x, bool bias = true,
                        PictureActivation activation = PictureActivation::kNone);
OpCase group_norm_silu_case(const Shape& x, std::int64_t groups);
OpCase wide_attention_case(const Shape& x);
// One sample of [4, side, side] for each timestep.
OpCase attention_map_case(const Shape& x);
OpCase token_loss_case(const Shape& tokens, const TokenDistance& distance);
OpCase ternary_linear_case(const Shape& x, std::int64_t outputs);
OpCase rms_norm_case(const Shape& x);
OpCase affine_modulation_case(const Shape& m);
// `parts`: of the rows, each of which has factors of its own; at most 4.
OpCase mask_units_case(const Shape& x, std::int64_t units, std::int64_t parts = 1);
OpCase gate_tokens_case(const Shape& x);
OpCase unit_gate_case(const Shape& logits, std::int64_t lead, std::int64_t rows);
OpCase silu_gate_case(const Shape& h);
// A text of so many tokens for each sample.
struct TextShape {
  std::int64_t tokens, heads, size, longest;
  std::vector<std::int32_t> lengths;
};
OpCase cross_attention_case(const TextShape& shape);
OpCase token_convolution_case(std::int64_t batch, const TokenGrid& grid, std::int64_t inputs,
                              std::int64_t outputs);
OpCase depthwise_convolution_case(std::int64_t batch, const TokenGrid& grid, std::int64_t channels,
                                  std::int64_t stride);
OpCase token_group_norm_case(const Shape& x, std::int64_t groups);
OpCase kernel_attention_case(const AttentionShape& shape, std::int64_t keys);
struct StateSpaceCase {
  std::int64_t outputs, groups, states;
  bool complex = false;
  std::int64_t through = 0;  // channels that are handed through as well
};
OpCase ssm2d_kernel_case(const TokenGrid& grid, const StateSpaceCase& sizes);
OpCase grid_convolution_case(std::int64_t batch, const TokenGrid& grid, std::int64_t channels,
                             std::int64_t directions);
OpCase diffusion_loss_case(const std::vector<int>& timesteps, std::int64_t side, double mse_weight,
                           double vb_weight);
OpCase diffusion_loss_case(const std::vector<int>& timesteps, std::int64_t height,
                           std::int64_t width, double mse_weight, double vb_weight);

}  // namespace edt
