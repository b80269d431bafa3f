#include "model/dit/config.h"

#include "model/blocks/grid_checks.h"

namespace edt {

void DitConfig::check_image_size(std::int64_t pixels) const { check_patches(*this, pixels); }

void DitConfig::validate() const {
  validate_common();
  check_one_grid(*this, depth, width, heads);
}

}  // namespace edt
