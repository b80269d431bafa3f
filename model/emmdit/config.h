// The shape of an E-MMDiT: three groups of equal blocks, of which the middle one works on few
// tokens.
#pragma once

#include <vector>

#include "core/ops/regions.h"
#include "model/blocks/style.h"
#include "model/config.h"

namespace edt {

struct EmmditConfig : CommonConfig {
  // Sides of the squares that the compressor makes one token of, each of the whole grid.
  static constexpr std::int64_t kNarrow = 2, kWide = 4;

  std::vector<std::int64_t> groups{4, 16, 4};  // blocks
  std::int64_t width = 768;
  std::int64_t heads = 24;
  HeadNorm head_norm = HeadNorm::kRms;
  // Within which tokens attend, by turns through all blocks; none: all of them.
  std::vector<TokenRegions> regions{{1, 1}, {4, 1}, {4, 4}};
  std::int64_t position_grid = 96;  // side of the table of positions, whose middle is used

  EmmditConfig();  // as published, for pictures of 512 pixels

  // Throws UsageError naming the option and both values when the parts do not fit.
  void validate() const;
  GridStep grid_step() const;
  std::int64_t hidden_units() const { return mlp_ratio * width; }
  // Divisors of the heads and of the MLP's hidden units.
  std::vector<int> tensor_degrees() const;
  PassKinds passes() const { return {}; }
  std::int64_t blocks() const;
  // Tokens of the middle group stand on no grid: those of the narrow squares, then of the wide.
  TokenSite site_after(std::int64_t after) const;

  std::int64_t narrow_tokens() const { return patches().tokens() / (kNarrow * kNarrow); }
  std::int64_t wide_tokens() const { return patches().tokens() / (kWide * kWide); }
  const TokenRegions& regions_of(std::int64_t block) const;
  // Between neighbours in the table of positions.
  double position_distance() const;
  bool operator==(const EmmditConfig&) const = default;
};

// "4:1" is four regions of runs of one; "off" alone: none.
std::vector<TokenRegions> parse_regions(const std::vector<std::string>& texts);
std::string text_of(const std::vector<TokenRegions>& regions);

}  // namespace edt
