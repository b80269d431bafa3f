// What the configurations of all models have in common.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/ops/token_grid.h"
#include "model/array_request.h"
#include "model/diffusion/process.h"
#include "model/positions.h"

namespace edt {

// The latents of a picture: those of the data set. A sequence is a picture one row high, as wide as
// it has frames, whose channels are the numbers of a frame.
struct LatentShape {
  std::int64_t channels = 4, height = 32, width = 32;
  std::int64_t factor = 8;  // pixels for each latent, across and down: the VAE's

  static LatentShape square(std::int64_t side) { return {.height = side, .width = side}; }
  static LatentShape sequence(std::int64_t channels, std::int64_t frames) {
    return {channels, 1, frames, 1};
  }
  bool is_square() const { return height == width; }
  bool is_sequence() const { return height == 1 && factor == 1; }
  std::int64_t elements() const { return channels * height * width; }
  bool operator==(const LatentShape&) const = default;
};

// Of what the sides of a model's latents are multiples, and where that comes from: "patch 2".
struct GridStep {
  std::int64_t latents = 1;
  std::string why;
};

// What blocks multiply with: matrices as they are, or -1, 0 and 1 with one learnt scale for each
// matrix (core/ops/ternary.h).
enum class WeightForm { kDense, kTernary };

struct WeightStyle {
  WeightForm form = WeightForm::kDense;
  bool modulation_norm = false;  // RMS norm of what blocks' adaLN projections give

  bool operator==(const WeightStyle&) const = default;
};

// Where the shifts, scales and gates of a block come from.
enum class ModulationForm {
  kFull,    // an adaLN projection of its own
  kShared,  // one projection for all blocks of a width (EDT: of a stage)
  kAffine,  // that, times 1 + gamma, plus beta: tables of each block
  kSingle   // that, plus a table of each block; the final layer's is a table plus the embedding of
            // the condition itself (PixArt's adaLN-single, arXiv 2310.00426)
};

// How tokens look at each other in the blocks of a stage.
enum class AttentionForm {
  kSoftmax,
  kLinear  // EDiT's compressed attention (model/blocks/compressed_attention.h)
};

// What the published description of it leaves open.
struct LinearAttentionConfig {
  std::int64_t narrowing = 4;  // of the channels, between the convolutions of queries
  std::int64_t groups = 1;     // of the norm between them
  std::int64_t stride = 2;     // of keys and values: 1 / stride^2 of the tokens

  bool operator==(const LinearAttentionConfig&) const = default;
};

struct AttentionConfig {
  std::vector<AttentionForm> stages;  // empty: softmax in all
  LinearAttentionConfig of_linear;

  bool any_linear() const;
  // nullptr: the stage has softmax.
  const LinearAttentionConfig* linear(std::int64_t stage) const;
  // UsageError naming the options and both values: as many stages as the model has, and sizes that
  // the width of a stage with linear attention allows.
  void validate(const std::vector<std::int64_t>& widths) const;
  bool operator==(const AttentionConfig&) const = default;
};

// A two-dimensional state-space layer in front of the queries, keys and values of each block
// (model/blocks/spatial_layer.h).
enum class SpatialForm {
  kOff,
  kReal,    // its states are real numbers
  kComplex  // or complex ones
};

struct SpatialConfig {
  SpatialForm form = SpatialForm::kOff;
  std::int64_t states = 16;     // of a group
  std::int64_t groups = 2;      // of states, in each direction
  std::int64_t directions = 2;  // 2 or 4 in which kernels are laid over the grid

  bool is_on() const { return form != SpatialForm::kOff; }
  // UsageError naming the options and both values unless the groups divide the width of each stage.
  void validate(const std::vector<std::int64_t>& widths) const;
  bool operator==(const SpatialConfig&) const = default;
};

// How a network reads the text of a picture: features of its tokens, by an encoder of elsewhere.
enum class TextForm {
  kNone,
  kPooled,  // their mean, in the condition
  kCross,   // cross-attention in every block (PixArt, arXiv 2310.00426)
  kJoint    // as tokens of their own, in joint attention (a family that has it)
};

struct TextConfig {
  TextForm form = TextForm::kNone;
  std::int64_t tokens = 0;    // of the longest text
  std::int64_t channels = 0;  // of a token's features
  float dropout = 0.1f;       // share of texts that the null text stands for in training

  bool is_on() const { return form != TextForm::kNone; }
  bool operator==(const TextConfig&) const = default;
};

// What a block computes with that may be fewer than its width gives: heads, and hidden units of the
// MLP.
struct BlockUnits {
  std::int64_t heads = 0, head_size = 0, hidden = 0;
  bool softmax = true;           // its attention
  std::int64_t hidden_maps = 2;  // linear maps that a hidden unit is in
};

// Units of each block, in the order of computing, where they are fewer; empty: all.
struct UnitCounts {
  std::vector<std::int64_t> heads, hidden;

  bool empty() const { return heads.empty() && hidden.empty(); }
  bool operator==(const UnitCounts&) const = default;
  // What is left of a `whole` block.
  BlockUnits of(std::int64_t block, BlockUnits whole) const;
  // UsageError naming option, block and values unless there is a number for each block, from 1 to
  // what the `whole` ones have.
  void validate(const std::vector<BlockUnits>& whole) const;
};

// Masks that learn which units a model may lose (model/unit_masks.h).
struct MaskConfig {
  bool heads = false, hidden = false;
  double start = 0;  // of their weights

  bool is_on() const { return heads || hidden; }
  bool operator==(const MaskConfig&) const = default;
};

// Gates on heads, groups of hidden units and tokens (DyDiT, model/blocks/unit_gates.h).
struct GateConfig {
  double target = 0;  // share of the blocks' products that is to be left; 0: there are no gates
  double router_bias = 15, token_bias = 35;  // with which gates begin: open

  bool is_on() const { return target > 0; }
  bool operator==(const GateConfig&) const = default;
};

struct CommonConfig {
  std::string name;
  LatentShape latents;
  std::int64_t patch = 2;
  std::int64_t classes = 1000;  // 0: labels are not read
  float label_dropout = 0.1f;
  std::int64_t mlp_ratio = 4;
  WeightStyle weights;
  ModulationForm modulation = ModulationForm::kFull;
  AttentionConfig attention;
  SpatialConfig spatial;
  UnitCounts kept;   // of a family whose blocks may lose units
  MaskConfig masks;  // in training, while it is being pruned
  GateConfig gates;
  TextConfig text;
  std::int64_t frame_channels = 0;  // of the condition of each token; 0: none
  ProcessConfig process;

  // What the network reads of each sample beside its latent.
  std::vector<ArrayRequest> arrays() const;
  // Throws UsageError naming both values when the parts do not fit.
  void validate_common() const;
  // Of a family whose final layer has a projection of its own. UsageError.
  void refuse_single_modulation() const;
  // Of a family whose blocks are all alike. UsageError.
  void refuse_uneven_blocks() const;
  // Of a family whose blocks have no gates. UsageError.
  void refuse_gates() const;
  // UsageError naming option, block and values unless blocks of these units can have the gates that
  // are asked for.
  void check_gates(const std::vector<BlockUnits>& units) const;
  // Throws UsageError naming `option`, with the sizes that fit, unless pictures of `pixels` on that
  // side have latents of a multiple of `step`.
  void check_side(const char* option, std::int64_t pixels, const GridStep& step) const;
  // Of both of them, or, of a sequence, of its one row.
  void check_sides(const GridStep& step) const;

  // Options whose layers see tokens beside each other, so that none may be missing, as
  // "model.attention-form linear"; empty: there are none.
  std::string needs_grid() const;

  GridStep patch_step() const;  // of a model whose tokens are the patches
  TokenGrid patches() const { return {latents.height / patch, latents.width / patch}; }
  PositionForm position_form() const {
    return latents.is_sequence() ? PositionForm::kSequence : PositionForm::kGrid;
  }
  // Values of a token that the network gives for the patch: what the process asks of it.
  std::int64_t patch_outputs() const {
    return patch * patch * process.out_channels(latents.channels);
  }
  bool operator==(const CommonConfig&) const = default;
};

// Where the tokens stand that a block gives, and how wide they are.
struct TokenSite {
  TokenGrid grid;
  std::int64_t width = 0;
};

// A ratio is drawn from [low, high).
struct MaskRange {
  float low = 0, high = 0;

  double mean() const { return (double{low} + double{high}) / 2; }
  // Throws UsageError unless 0 <= low <= high < 1.
  void validate(const char* option) const;
  bool operator==(const MaskRange&) const = default;
};

// What a training step of a family can do beside the full pass, in a masked one.
struct PassKinds {
  bool zeroes = false;             // some tokens are zeroed in place
  bool drops = false;              // some are dropped
  bool shares_prefix = false;      // both passes can have one draw of noise, and what precedes the
                                   // first mask is computed once:
  std::int64_t shared_blocks = 0;  // so many blocks
  bool groups = false;             // tokens can be in groups that do not see each other

  bool masked() const { return zeroes || drops; }
};

// Classes in turn, of the i-th of some pictures; 0 where there are none.
inline std::int32_t class_in_turn(std::int64_t i, std::int64_t classes) {
  return classes > 0 ? static_cast<std::int32_t>(i % classes) : 0;
}

// All that divide `n`: numbers of tensor ranks that n heads can be spread over.
std::vector<int> divisors(std::int64_t n);

}  // namespace edt
