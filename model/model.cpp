#include "model/model.h"

#include "core/base/error.h"

namespace edt {

void Model::set_amm_blocks(const std::vector<std::int64_t>& blocks) {
  require<UsageError>(blocks.empty(), "amm",
                      "the attention modulation matrix belongs to EDT, the model is {}", name());
}

}  // namespace edt
