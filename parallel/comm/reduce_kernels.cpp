#include "parallel/comm/reduce_kernels.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace edt {
namespace {

template <class T, class Op>
void apply(const std::byte* left_bytes, const std::byte* right_bytes, std::byte* result_bytes,
           std::size_t elements, Op op) {
  const T* left = reinterpret_cast<const T*>(left_bytes);
  const T* right = reinterpret_cast<const T*>(right_bytes);
  T* result = reinterpret_cast<T*>(result_bytes);
// The result is an operand or apart from both: no iteration reads what another wrote.
#ifdef __clang__
#pragma clang loop vectorize(assume_safety)
#else
#pragma GCC ivdep
#endif
  for (std::size_t i = 0; i < elements; ++i) result[i] = op(left[i], right[i]);
}

template <class T>
T sum_of(T a, T b) {
  if constexpr (std::is_same_v<T, bfloat16>) {
    return bfloat16(static_cast<float>(a) + static_cast<float>(b));
  } else if constexpr (std::is_integral_v<T>) {
    // Wraps on overflow, as MPI does, without being undefined.
    return static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) +
                          static_cast<std::make_unsigned_t<T>>(b));
  } else {
    return a + b;
  }
}

template <class T>
auto comparable(T value) {
  if constexpr (std::is_same_v<T, bfloat16>) {
    return static_cast<float>(value);
  } else {
    return value;
  }
}

template <class T>
bool is_nan(T value) {
  return comparable(value) != comparable(value);
}

template <class T>
T max_of(T a, T b) {
  return is_nan(b) || (comparable(b) > comparable(a) && !is_nan(a)) ? b : a;
}
template <class T>
T min_of(T a, T b) {
  return is_nan(b) || (comparable(b) < comparable(a) && !is_nan(a)) ? b : a;
}
std::int32_t or_of(std::int32_t a, std::int32_t b) { return a != 0 || b != 0; }

template <class T>
void combine_as(Reduce reduce, const std::byte* left, const std::byte* right, std::byte* result,
                std::size_t elements) {
  switch (reduce) {
    case Reduce::kSum:
      return apply<T>(left, right, result, elements, [](T a, T b) { return sum_of(a, b); });
    case Reduce::kMax:
      return apply<T>(left, right, result, elements, [](T a, T b) { return max_of(a, b); });
    case Reduce::kMin:
      return apply<T>(left, right, result, elements, [](T a, T b) { return min_of(a, b); });
    case Reduce::kOr:
      if constexpr (std::is_same_v<T, std::int32_t>) {
        return apply<T>(left, right, result, elements, [](T a, T b) { return or_of(a, b); });
      }
  }
  EDT_ASSERT(false);
}

}  // namespace

void combine(DType dtype, Reduce reduce, const std::byte* left, const std::byte* right,
             std::byte* result, std::size_t elements) {
  switch (dtype) {
    case DType::kFloat32:
      return combine_as<float>(reduce, left, right, result, elements);
    case DType::kFloat64:
      return combine_as<double>(reduce, left, right, result, elements);
    case DType::kBFloat16:
      return combine_as<bfloat16>(reduce, left, right, result, elements);
    case DType::kInt32:
      return combine_as<std::int32_t>(reduce, left, right, result, elements);
  }
}

}  // namespace edt
