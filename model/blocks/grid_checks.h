// Checks that models on one token grid share.
#pragma once

#include "model/config.h"
#include "parallel/tensor/tensor_parallel.h"

namespace edt {

// UsageError naming the option and both values.
void check_one_grid(const CommonConfig& config, std::int64_t depth, std::int64_t width,
                    std::int64_t heads);

// UsageError naming the option and both values where linear attention of a stage strides beyond the
// stage's grid.
void check_attention_strides(const AttentionConfig& attention, const std::vector<TokenGrid>& grids);

// UsageError with the list of what is possible, unless `degrees` has the number of ranks.
void check_tensor_degree(const std::string& model, const std::vector<int>& degrees,
                         const TensorGroup& ranks);

}  // namespace edt
