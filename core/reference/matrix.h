// Dense row-major products in double.
#pragma once

#include "core/reference/doubles.h"

namespace edt {

// a [m, k] times b [k, n]
Doubles multiply(const Doubles& a, const Doubles& b, std::int64_t m, std::int64_t k,
                 std::int64_t n);

// a [m, n] -> [n, m]
Doubles transposed(const Doubles& a, std::int64_t m, std::int64_t n);

// a [m, n] -> [n], sums over the rows
Doubles column_sums(const Doubles& a, std::int64_t m, std::int64_t n);

// y [m, n] += bias [n] in every row
void add_to_rows(Doubles& y, const Doubles& bias, std::int64_t m, std::int64_t n);

}  // namespace edt
