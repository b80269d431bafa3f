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
  spatial.validate({width});
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

std::vector<int> DitConfig::tensor_degrees() const {
  std::vector<int> degrees = divisors(heads);
  std::erase_if(degrees, [this](int degree) { return hidden_units() % degree != 0; });
  return degrees;
}

}  // namespace edt
