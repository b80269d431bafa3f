// The shape of an MDTv2: an encoder of in- and out-blocks joined by skips, a side block, a decoder.
#pragma once

#include <vector>

#include "model/config.h"

namespace edt {

struct Mdtv2Config : CommonConfig {
  std::int64_t encoder_depth = 6;  // half of them in-blocks, half out-blocks
  std::int64_t decoder_depth = 6;
  std::int64_t width = 384;
  std::int64_t heads = 6;
  MaskRange mask_ratio{0.3f, 0.5f};  // of tokens that the masked pass drops

  // Throws UsageError naming the option and both values when the parts do not fit.
  void validate() const;
  GridStep grid_step() const { return patch_step(); }
  // Numbers of tensor ranks that the model can be cut into: the divisors of the heads.
  std::vector<int> tensor_degrees() const { return divisors(heads); }
  PassKinds passes() const { return {.drops = true, .groups = true}; }
  // Those that lie one behind the other: without the side block.
  std::int64_t blocks() const { return encoder_depth + decoder_depth; }
  TokenSite site_after(std::int64_t) const { return {patches(), width}; }

  // Tokens of a sample that a masked pass of this ratio keeps.
  std::int64_t visible_tokens(float ratio) const;
  bool operator==(const Mdtv2Config&) const = default;
};

}  // namespace edt
