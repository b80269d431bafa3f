// Rows of activations on their way to 8-bit integers and back, by one thread.
#pragma once

#include "core/cpu/elementwise.h"

namespace edt {

// x = scale * q + low, q from 0 to the largest quantum. A row with a value that is not finite has a
// `low` that is none: so has all that is computed from it.
struct RowScale {
  float scale = 0, low = 0;
};

struct RowRange {
  float low = 0, high = 0;

  // Of both rows together.
  RowRange with(const RowRange& other) const;
  RowScale scale(int largest_quantum) const { return {(high - low) / largest_quantum, low}; }
};

RowRange range_of(Span x, std::int64_t n);
void quantize_row(Span x, std::int64_t n, RowScale row, std::uint8_t* q);

// What a weight adds to a row of products: q w of integers, `sums` the sums of w over a row of it.
struct WeightColumns {
  const float *scales, *sums;
  const float* bias;  // nullptr: none
};

// y[i] = scales[i] (row.scale products[i] + row.low sums[i]) + bias[i]
void dequantize_row(const std::int32_t* products, RowScale row, const WeightColumns& columns,
                    Span y, std::int64_t n);

}  // namespace edt
