// Other depths for an EDT: what names blocks keeps its place.
#include <algorithm>
#include <numeric>

#include "model/edt/config.h"

namespace edt {
namespace {

std::int64_t sum(const std::vector<std::int64_t>& depths, std::int64_t first, std::int64_t last) {
  return std::accumulate(depths.begin() + first, depths.begin() + last, std::int64_t{0});
}

// Some stages in a row: blocks `begin` ... `begin + count - 1`.
struct BlockRange {
  std::int64_t begin, count;
};

BlockRange stage_of(const EdtConfig& config, std::int64_t stage) {
  return {sum(config.depths, 0, stage), config.depths[static_cast<std::size_t>(stage)]};
}

BlockRange way_up(const EdtConfig& config) {
  const std::int64_t first = std::min(config.down_stages() + 1, config.stages());
  return {sum(config.depths, 0, first), sum(config.depths, first, config.stages())};
}

// The block of `to` whose part of it has the middle of `block` of `from`.
std::int64_t moved(std::int64_t block, const BlockRange& from, const BlockRange& to) {
  return to.begin + (2 * (block - from.begin) + 1) * to.count / (2 * from.count);
}

}  // namespace

void change_depths(EdtConfig& config, std::vector<std::int64_t> depths) {
  EdtConfig changed = config;
  changed.depths = std::move(depths);
  changed.amm_blocks.clear();
  for (const std::int64_t block : config.amm_blocks) {
    const std::int64_t stage = config.stage_of_block(block);
    const bool same_stages = changed.stages() == config.stages();
    const BlockRange from = same_stages ? stage_of(config, stage) : way_up(config);
    const BlockRange to = same_stages ? stage_of(changed, stage) : way_up(changed);
    if (to.count == 0) continue;  // one stage: there is no way up
    const std::int64_t place = moved(block, from, to);
    if (changed.amm_blocks.empty() || changed.amm_blocks.back() != place) {
      changed.amm_blocks.push_back(place);
    }
  }
  if (!changed.depths.empty()) {
    changed.mid_mask_block = config.mid_mask_block * changed.depths[0] / config.depths[0];
  }
  config = std::move(changed);
}

}  // namespace edt
