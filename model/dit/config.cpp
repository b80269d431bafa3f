#include "model/dit/config.h"

#include "model/blocks/grid_checks.h"
#include "model/blocks/matmul_list.h"

namespace edt {

void DitConfig::check_image_size(std::int64_t pixels) const { check_patches(*this, pixels); }

void DitConfig::validate() const {
  validate_common();
  check_one_grid(*this, depth, width, heads);
}

std::vector<MatmulUse> DitConfig::forward_matmuls(std::int64_t images, int tensor_ranks) const {
  MatmulList list(tensor_ranks);
  list.embeddings(*this, images, patches(), width);
  list.modulations(images, 6 * width, width, depth);
  list.blocks({images, patches(), width, heads, mlp_ratio, depth});
  list.final_layer(*this, images, patches(), width);
  return list.take();
}

}  // namespace edt
