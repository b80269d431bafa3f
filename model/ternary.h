// Ternary weights outside of training, where they are quantized once and for all.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/ops/backend.h"
#include "core/ops/weight_hold.h"
#include "model/parameters.h"
#include "parallel/sharding/flat_layout.h"

namespace edt {

// Where the scale of such a weight begins.
float mean_magnitude(std::span<const float> weight);

// -1, 0 and 1 of each element.
std::vector<std::int8_t> ternary_digits(std::span<const float> weight);

// In `weights` [layout.size()] each ternary weight becomes its scale times its digits, and is a
// weight like others from then on: products are the same, and nothing is quantized any more. Those
// that ranks hold parts of stay as they are.
// The parameters that were.
std::vector<Parameter*> fold_ternary(ParameterList& parameters, const FlatLayout& layout,
                                     std::span<float> weights);
// The same where there are no values.
std::vector<Parameter*> plan_folded(ParameterList& parameters);
// Once they are bound, where `backend` has products with packed weights: as long as the result is
// held.
[[nodiscard]] std::vector<WeightHold> pack_folded(const std::vector<Parameter*>& folded,
                                                  Backend& backend);
// What that takes besides the weights.
std::size_t packed_bytes(const std::vector<Parameter*>& folded);

}  // namespace edt
