#include "core/reference/doubles.h"

#include "core/base/typed.h"

namespace edt {
namespace {

// Calls f(T{}) with any floating-point type.
template <class F>
void with_real_type(DType dtype, F&& f) {
  with_type_among<float, bfloat16, double>("reference", dtype, std::forward<F>(f));
}

double widen(float value) { return value; }
double widen(double value) { return value; }
double widen(std::int32_t value) { return value; }
double widen(bfloat16 value) { return static_cast<float>(value); }

template <class T>
T round_to(double value) {
  if constexpr (std::is_same_v<T, bfloat16>) {
    return bfloat16(static_cast<float>(value));
  } else {
    return static_cast<T>(value);
  }
}

// element = f(element as double), rounded
template <class F>
void update(const Tensor& tensor, F f) {
  with_real_type(tensor.dtype, [&]<class T>(T) {
    T* data = tensor.as<T>();
    const std::int64_t n = tensor.elements();
    for (std::int64_t i = 0; i < n; ++i) data[i] = round_to<T>(f(i, data[i]));
  });
}

}  // namespace

Doubles load(const Tensor& tensor) {
  Doubles values(static_cast<std::size_t>(tensor.elements()));
  with_type_among<float, bfloat16, double, std::int32_t>(
      "reference", tensor.dtype, [&]<class T>(T) {
        const T* data = tensor.as<T>();
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = widen(data[i]);
      });
  return values;
}

void store(const Doubles& values, const Tensor& tensor) {
  EDT_ASSERT(values.size() == static_cast<std::size_t>(tensor.elements()));
  update(tensor, [&](std::int64_t i, auto) { return values[i]; });
}

void store(const Doubles& values, const GradTarget& target) {
  if (!target.wanted()) return;
  if (!target.accumulate) return store(values, target.tensor);
  EDT_ASSERT(values.size() == static_cast<std::size_t>(target.tensor.elements()));
  update(target.tensor, [&](std::int64_t i, auto old) { return widen(old) + values[i]; });
}

void add_to(const Doubles& values, const Columns& columns) {
  if (!columns.tensor.defined()) return;
  const std::int64_t rows = columns.tensor.shape[0];
  EDT_ASSERT(values.size() == static_cast<std::size_t>(rows * columns.width));
  with_real_type(columns.tensor.dtype, [&]<class T>(T) {
    for (std::int64_t b = 0; b < rows; ++b) {
      T* row = columns.row<T>(b);
      for (std::int64_t d = 0; d < columns.width; ++d) {
        row[d] = round_to<T>(widen(row[d]) + values[b * columns.width + d]);
      }
    }
  });
}

Doubles concatenated(const Tensor& a, const Tensor& b) {
  const Doubles left = load(a), right = load(b);
  const std::int64_t rows = a.shape.rows(), wa = a.elements() / rows, wb = b.elements() / rows;
  Doubles both;
  for (std::int64_t r = 0; r < rows; ++r) {
    both.insert(both.end(), left.begin() + r * wa, left.begin() + (r + 1) * wa);
    both.insert(both.end(), right.begin() + r * wb, right.begin() + (r + 1) * wb);
  }
  return both;
}

Doubles load(const Columns& columns) {
  const std::int64_t rows = columns.tensor.shape[0], stride = columns.stride();
  const Doubles all = load(columns.tensor);
  Doubles values;
  for (std::int64_t b = 0; b < rows; ++b) {
    const auto begin = all.begin() + b * stride + columns.column;
    values.insert(values.end(), begin, begin + columns.width);
  }
  return values;
}

}  // namespace edt
