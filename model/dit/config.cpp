#include "model/dit/config.h"

#include "core/base/error.h"
#include "model/blocks/grid_checks.h"

namespace edt {

void DitConfig::validate() const {
  validate_common();
  check_one_grid(*this, depth, width, heads);
  require<UsageError>(
      !style.rotates() || width / heads % 4 == 0, "model",
      "model.positions is {}, heads of {} elements (model.widths {}, model.heads {}) "
      "cannot be turned by row and by column: a multiple of 4 can",
      style.adds_positions() ? "sincos+rope" : "rope", width / heads, width, heads);
  attention.validate({width});
  check_attention_strides(attention, {patches()});
  spatial.validate({width});
  kept.validate(std::vector<BlockUnits>(static_cast<std::size_t>(depth), whole_block()));
  std::vector<BlockUnits> units;
  for (std::int64_t block = 0; block < depth; ++block) units.push_back(units_of(block));
  check_gates(units);
  if (!attention.any_linear()) return;
  require<UsageError>(
      !style.rotates(), "model",
      "model.positions is {}, and model.attention-form linear: its queries and keys "
      "are not turned",
      style.adds_positions() ? "sincos+rope" : "rope");
  require<UsageError>(style.head_norm == HeadNorm::kNone, "model",
                      "model.qk-norm is {}, and model.attention-form linear, which has no norm of "
                      "heads",
                      style.head_norm == HeadNorm::kRms ? "rms" : "layer");
}

BlockUnits DitConfig::whole_block() const {
  return {.heads = heads,
          .head_size = width / heads,
          .hidden = hidden_units(),
          .softmax = !attention.any_linear(),
          .hidden_maps = style.mlp == MlpForm::kSwiglu ? 3 : 2};
}

std::vector<int> DitConfig::tensor_degrees() const {
  if (gates.is_on()) return {1};  // each of the ranks would have heads of its own
  std::vector<int> degrees = divisors(heads);
  for (std::int64_t block = 0; block < depth; ++block) {
    const BlockUnits units = units_of(block);
    std::erase_if(degrees, [&](int degree) {
      return units.heads % degree != 0 || units.hidden % degree != 0;
    });
  }
  return degrees;
}

}  // namespace edt
