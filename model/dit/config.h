// The shape of a DiT: equal transformer blocks on one token grid.
#pragma once

#include <vector>

#include "model/config.h"

namespace edt {

struct DitConfig : CommonConfig {
  std::int64_t depth = 12;
  std::int64_t width = 384;
  std::int64_t heads = 6;

  // Throws UsageError naming the option and both values when the parts do not fit.
  void validate() const;
  GridStep grid_step() const { return patch_step(); }
  // Numbers of tensor ranks that the model can be cut into: the divisors of the heads.
  std::vector<int> tensor_degrees() const { return divisors(heads); }
  PassKinds passes() const { return {}; }
};

}  // namespace edt
