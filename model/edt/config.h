// The shape of an EDT: stages of transformer blocks joined by 2x2 down- and up-sampling.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/config.h"

namespace edt {

// Form of the attention modulation matrix: exp up to 256 pixels, cosine above (as published for
// 256 and 512).
enum class AmmForm { kExp, kCosine };

struct EdtConfig : CommonConfig {
  std::vector<std::int64_t> depths;  // blocks per stage; an odd number of stages
  std::vector<std::int64_t> widths;
  std::vector<std::int64_t> heads;
  MaskRange first_down_mask{0.4f, 0.5f};
  MaskRange later_down_mask{0.1f, 0.2f};
  bool mid_mask = false;  // EDT-XL: a third mask before block `mid_mask_block` of the first stage
  std::int64_t mid_mask_block = 4;
  MaskRange mid_mask_range{0.15f, 0.25f};
  std::vector<std::int64_t> amm_blocks;  // 0-based blocks that use the matrix when sampling

  std::int64_t stages() const { return static_cast<std::int64_t>(depths.size()); }
  std::int64_t down_stages() const { return stages() / 2; }
  std::int64_t blocks() const;
  // The tokens of a stage.
  TokenGrid grid(std::int64_t stage) const;
  std::int64_t stage_of_block(std::int64_t block) const;
  // Of a block counted from 0, those that it has left.
  BlockUnits units_of(std::int64_t block) const { return kept.of(block, whole_block(block)); }
  BlockUnits whole_block(std::int64_t block) const;
  // Of the tokens that block `after`, counted from 1, gives.
  TokenSite site_after(std::int64_t after) const;

  // Throws UsageError naming the option and both values when the parts do not fit.
  void validate() const;
  // The part of it that is about amm_blocks.
  void check_amm_blocks() const;
  AmmForm amm_form() const;
  // Those that have a softmax, whose weights the matrix multiplies.
  std::vector<std::int64_t> softmax_blocks(const std::vector<std::int64_t>& among) const;
  GridStep grid_step() const;

  // Numbers of tensor ranks that the model can be cut into: the divisors that the head counts of
  // all blocks share. Widths and hidden widths are multiples of the heads, unless blocks have lost
  // units.
  std::vector<int> tensor_degrees() const;

  std::vector<std::pair<std::string, std::vector<std::int64_t>>> sampling_facts() const {
    if (amm_blocks.empty()) return {};
    return {{"amm_blocks", amm_blocks}};
  }

  // A model of one stage without the mask inside it has no mask.
  PassKinds passes() const {
    const bool drops = mid_mask || down_stages() > 0;
    return {.zeroes = drops,
            .shares_prefix = drops,
            .shared_blocks = mid_mask ? mid_mask_block : depths[0]};
  }
  bool operator==(const EdtConfig&) const = default;
};

// Gives an EDT other depths. What names blocks keeps its place: the blocks of the modulation matrix
// stay at the same share of their stage (with another number of stages: of all stages on the way
// up), and so does the mask inside the first stage.
void change_depths(EdtConfig& config, std::vector<std::int64_t> depths);

}  // namespace edt
