#include "model/dit/config.h"

#include "model/blocks/grid_checks.h"

namespace edt {

void DitConfig::validate() const {
  validate_common();
  check_one_grid(*this, depth, width, heads);
}

}  // namespace edt
