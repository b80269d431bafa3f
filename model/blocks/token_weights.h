// The weights of a model that all tokens are multiplied with: maps of attention, of feed-forward
// blocks and of skips. What sees a condition alone, the first map and the last are none of them:
// little work, where rounding shows most.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "core/ops/weight_quantizer.h"
#include "model/parameters.h"

namespace edt {

bool is_token_weight(std::string_view name);

// All of them in 8-bit integers, as long as the result is held. Their values are bound.
[[nodiscard]] std::vector<WeightHold> quantize_token_weights(const ParameterList& parameters,
                                                             WeightQuantizer& quantizer);
// What that takes besides the weights.
std::size_t quantized_bytes(const ParameterList& parameters);

}  // namespace edt
