#include "model/blocks/grid_checks.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "core/base/error.h"

namespace edt {

void check_one_grid(const CommonConfig& config, std::int64_t depth, std::int64_t width,
                    std::int64_t heads) {
  require<UsageError>(config.input_size % config.patch == 0, "model",
                      "model.input-size {} is not a multiple of the patch {}", config.input_size,
                      config.patch);
  require<UsageError>(depth >= 1, "model", "{} has {} blocks", config.name, depth);
  require<UsageError>(heads >= 1 && width >= 1 && width % heads == 0, "model",
                      "{} heads do not divide the width {}", heads, width);
  require<UsageError>(width % 4 == 0, "model",
                      "the width {} is not a multiple of 4 (sin-cos positions)", width);
}

void check_tensor_degree(const std::string& model, const std::vector<int>& degrees,
                         const TensorGroup& ranks) {
  require<UsageError>(std::ranges::find(degrees, ranks.size()) != degrees.end(), "model",
                      "{} cannot be cut over {} tensor ranks: its heads allow {}", model,
                      ranks.size(), fmt::join(degrees, ", "));
}

}  // namespace edt
