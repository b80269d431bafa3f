// Rows of activations times packed ternary weights, by one thread.
#pragma once

#include <cstdint>

namespace edt {

// sums [rows, 16] (stride 16) = x [rows, inputs] q^T for sixteen outputs. `words` [groups, 16]: of
// each sixteen inputs a word for each output, input j in bits 2j and 2j + 1 as a signed number.
// `x` has 16 * groups numbers a row.
void ternary_products(const float* x, std::int64_t rows, const std::uint32_t* words,
                      std::int64_t groups, float* sums);

}  // namespace edt
