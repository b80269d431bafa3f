#include "model/blocks/grid_checks.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "core/base/error.h"

namespace edt {

void check_one_grid(const CommonConfig& config, std::int64_t depth, std::int64_t width,
                    std::int64_t heads) {
  config.check_sides(config.patch_step());
  require<UsageError>(depth >= 1, "model", "model.depths gives {} {} blocks", config.name, depth);
  require<UsageError>(heads >= 1 && width >= 1 && width % heads == 0, "model",
                      "model.heads {} does not divide model.widths {}", heads, width);
  require<UsageError>(width % 4 == 0, "model",
                      "model.widths {} is not a multiple of 4 (sin-cos positions)", width);
}

void check_attention_strides(const AttentionConfig& attention,
                             const std::vector<TokenGrid>& grids) {
  const std::int64_t stride = attention.of_linear.stride;
  for (std::size_t i = 0; i < grids.size(); ++i) {
    if (attention.linear(static_cast<std::int64_t>(i)) == nullptr) continue;
    require<UsageError>(stride <= std::max(grids[i].rows, grids[i].columns), "model",
                        "model.attention-stride is {}, the grid of stage {} has {} tokens", stride,
                        i, to_string(grids[i]));
  }
}

void check_tensor_degree(const std::string& model, const std::vector<int>& degrees,
                         const TensorGroup& ranks) {
  require<UsageError>(std::ranges::find(degrees, ranks.size()) != degrees.end(), "model",
                      "{} cannot be cut over {} tensor ranks: its heads allow {}", model,
                      ranks.size(), fmt::join(degrees, ", "));
}

}  // namespace edt
