#include "model/edt/config.h"

#include <numeric>

#include "core/base/error.h"
#include "model/blocks/grid_checks.h"

namespace edt {

std::int64_t EdtConfig::blocks() const {
  return std::accumulate(depths.begin(), depths.end(), std::int64_t{0});
}

TokenGrid EdtConfig::grid(std::int64_t stage) const {
  const std::int64_t level = std::min(stage, stages() - 1 - stage);
  return {patches().rows >> level, patches().columns >> level};
}

std::int64_t EdtConfig::stage_of_block(std::int64_t block) const {
  std::int64_t stage = 0;
  for (; block >= depths[static_cast<std::size_t>(stage)]; ++stage)
    block -= depths[static_cast<std::size_t>(stage)];
  return stage;
}

BlockUnits EdtConfig::whole_block(std::int64_t block) const {
  const std::int64_t stage = stage_of_block(block);
  const auto at = static_cast<std::size_t>(stage);
  return {.heads = heads[at],
          .head_size = widths[at] / heads[at],
          .hidden = mlp_ratio * widths[at],
          .softmax = attention.linear(stage) == nullptr};
}

TokenSite EdtConfig::site_after(std::int64_t after) const {
  const std::int64_t stage = stage_of_block(after - 1);
  return {grid(stage), widths[static_cast<std::size_t>(stage)]};
}

AmmForm EdtConfig::amm_form() const {
  const std::int64_t side = latents.factor * std::max(latents.height, latents.width);
  return side > 256 ? AmmForm::kCosine : AmmForm::kExp;
}

GridStep EdtConfig::grid_step() const {
  constexpr std::int64_t kMostDownSamplings = 40;  // no picture is that large
  const std::int64_t halvings = std::min(down_stages(), kMostDownSamplings);
  return {patch << halvings, fmt::format("patch {} x {} of {} down-samplings", patch,
                                         std::int64_t{1} << halvings, down_stages())};
}

void EdtConfig::validate() const {
  constexpr auto kWhere = "model";
  validate_common();
  refuse_single_modulation();
  require<UsageError>(depths.size() % 2 == 1, kWhere,
                      "model.depths has {} stages, an odd number is needed", depths.size());
  require<UsageError>(widths.size() == depths.size() && heads.size() == depths.size(), kWhere,
                      "model.depths has {} stages, model.widths {}, model.heads {}", depths.size(),
                      widths.size(), heads.size());
  check_sides(grid_step());
  for (std::size_t i = 0; i < depths.size(); ++i) {
    require<UsageError>(depths[i] >= 1, kWhere, "model.depths: stage {} has {} blocks", i,
                        depths[i]);
    require<UsageError>(heads[i] >= 1 && widths[i] >= 1 && widths[i] % heads[i] == 0, kWhere,
                        "model.heads has {1} for stage {0}, which does not divide its {2} of "
                        "model.widths",
                        i, heads[i], widths[i]);
    require<UsageError>(widths[i] % 4 == 0, kWhere,
                        "model.widths has {} for stage {}, not a multiple of 4 (sin-cos positions)",
                        widths[i], i);
    require<UsageError>(i + 1 >= depths.size() - i || widths[i] == widths[depths.size() - 1 - i],
                        kWhere,
                        "model.widths has {2} and {3} for stages {0} and {1}: they are joined by a "
                        "skip and must be equal",
                        i, depths.size() - 1 - i, widths[i], widths[depths.size() - 1 - i]);
  }
  require<UsageError>(!mid_mask || (0 <= mid_mask_block && mid_mask_block < depths[0]), kWhere,
                      "model.mid-mask is on, before block {} of the first stage, which has {}",
                      mid_mask_block, depths[0]);
  first_down_mask.validate("model.first-down-mask");
  later_down_mask.validate("model.later-down-mask");
  mid_mask_range.validate("model.mid-mask-range");
  std::vector<TokenGrid> grids;
  for (std::int64_t stage = 0; stage < stages(); ++stage) grids.push_back(grid(stage));
  attention.validate(widths);
  check_attention_strides(attention, grids);
  spatial.validate(widths);
  check_amm_blocks();
  std::vector<BlockUnits> whole;
  for (std::int64_t block = 0; block < blocks(); ++block) whole.push_back(whole_block(block));
  kept.validate(whole);
  std::vector<BlockUnits> units;
  for (std::int64_t block = 0; block < blocks(); ++block) units.push_back(units_of(block));
  check_gates(units);
}

void EdtConfig::check_amm_blocks() const {
  for (std::int64_t block : amm_blocks) {
    require<UsageError>(0 <= block && block < blocks(), "model",
                        "model.amm-blocks names block {}, the model has {}: 0 to {}", block,
                        blocks(), blocks() - 1);
    require<UsageError>(attention.linear(stage_of_block(block)) == nullptr, "model",
                        "model.amm-blocks names block {}, and model.attention-form makes its stage "
                        "{} linear: there are no weights to be multiplied by a matrix",
                        block, stage_of_block(block));
  }
}

std::vector<std::int64_t> EdtConfig::softmax_blocks(const std::vector<std::int64_t>& among) const {
  std::vector<std::int64_t> found;
  for (const std::int64_t block : among) {
    if (block >= blocks() || attention.linear(stage_of_block(block)) == nullptr) {
      found.push_back(block);
    }
  }
  return found;
}

std::vector<int> EdtConfig::tensor_degrees() const {
  if (gates.is_on()) return {1};  // each of the ranks would have heads of its own
  std::int64_t shared = 0;
  for (std::int64_t count : heads) shared = std::gcd(shared, count);
  for (std::int64_t count : kept.heads) shared = std::gcd(shared, count);
  for (std::int64_t count : kept.hidden) shared = std::gcd(shared, count);
  return divisors(shared);
}

}  // namespace edt
