#include "core/cpu/elementwise.h"

#include "core/cpu/typed.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/elementwise.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

template <class A, class B>
void Convert(const A* from, B* to, std::int64_t n, bool accumulate) {
  for (std::int64_t i = 0; i < n; i += Lanes()) {
    PutVec(LoadVec(from + i, n - i), to + i, n - i, accumulate);
  }
}

void ConvertSpan(const Span& from, const Span& to, std::int64_t n, bool accumulate) {
  const bool from_float = from.dtype == DType::kFloat32, to_float = to.dtype == DType::kFloat32;
  const auto* f = static_cast<const float*>(from.data);
  const auto* h = static_cast<const bfloat16*>(from.data);
  auto* to_f = static_cast<float*>(to.data);
  auto* to_h = static_cast<bfloat16*>(to.data);
  if (from_float && to_float) return Convert(f, to_f, n, accumulate);
  if (from_float) return Convert(f, to_h, n, accumulate);
  if (to_float) return Convert(h, to_f, n, accumulate);
  Convert(h, to_h, n, accumulate);
}

template <class T>
void Add(const T* a, const T* b, T* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += Lanes()) {
    StoreVec(hn::Add(LoadVec(a + i, n - i), LoadVec(b + i, n - i)), y + i, n - i);
  }
}

void AddSpan(const Span& a, const Span& b, const Span& y, std::int64_t n) {
  if (y.dtype == DType::kFloat32) {
    Add(static_cast<const float*>(a.data), static_cast<const float*>(b.data),
        static_cast<float*>(y.data), n);
  } else {
    Add(static_cast<const bfloat16*>(a.data), static_cast<const bfloat16*>(b.data),
        static_cast<bfloat16*>(y.data), n);
  }
}

void FillSpan(const Span& y, std::int64_t n, float value) {
  const FloatVec v = Set(value);
  for (std::int64_t i = 0; i < n; i += Lanes()) {
    if (y.dtype == DType::kFloat32) {
      StoreVec(v, static_cast<float*>(y.data) + i, n - i);
    } else {
      StoreVec(v, static_cast<bfloat16*>(y.data) + i, n - i);
    }
  }
}

void Blend(float a, const float* x, float b, const float* noise, float* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += Lanes()) {
    const FloatVec scaled = hn::Mul(Set(b), LoadVec(noise + i, n - i));
    StoreVec(hn::MulAdd(Set(a), LoadVec(x + i, n - i), scaled), y + i, n - i);
  }
}

// Blocks of columns keep the sums in registers while the rows stream by.
template <class T>
void ColumnSums(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t n, float* sums) {
  const std::int64_t lanes = Lanes();
  std::int64_t j = 0;
  for (; j + 4 * lanes <= n; j += 4 * lanes) {
    FloatVec s0 = LoadVec(sums + j), s1 = LoadVec(sums + j + lanes);
    FloatVec s2 = LoadVec(sums + j + 2 * lanes), s3 = LoadVec(sums + j + 3 * lanes);
    const T* p = x + j;
    for (std::int64_t r = 0; r < rows; ++r, p += stride) {
      s0 = hn::Add(s0, LoadVec(p));
      s1 = hn::Add(s1, LoadVec(p + lanes));
      s2 = hn::Add(s2, LoadVec(p + 2 * lanes));
      s3 = hn::Add(s3, LoadVec(p + 3 * lanes));
    }
    StoreVec(s0, sums + j);
    StoreVec(s1, sums + j + lanes);
    StoreVec(s2, sums + j + 2 * lanes);
    StoreVec(s3, sums + j + 3 * lanes);
  }
  for (; j < n; j += lanes) {
    FloatVec s = LoadVec(sums + j, n - j);
    for (std::int64_t r = 0; r < rows; ++r) s = hn::Add(s, LoadVec(x + r * stride + j, n - j));
    StoreVec(s, sums + j, n - j);
  }
}

void ColumnSumsSpan(const Span& x, std::int64_t rows, std::int64_t stride, std::int64_t n,
                    float* sums) {
  if (x.dtype == DType::kFloat32) {
    ColumnSums(static_cast<const float*>(x.data), rows, stride, n, sums);
  } else {
    ColumnSums(static_cast<const bfloat16*>(x.data), rows, stride, n, sums);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edt {

HWY_EXPORT(ConvertSpan);
HWY_EXPORT(AddSpan);
HWY_EXPORT(FillSpan);
HWY_EXPORT(Blend);
HWY_EXPORT(ColumnSumsSpan);

void convert(Span from, Span to, std::int64_t n, bool accumulate) {
  HWY_DYNAMIC_DISPATCH(ConvertSpan)(from, to, n, accumulate);
}
void add(Span a, Span b, Span y, std::int64_t n) { HWY_DYNAMIC_DISPATCH(AddSpan)(a, b, y, n); }
void fill(Span y, std::int64_t n, float value) { HWY_DYNAMIC_DISPATCH(FillSpan)(y, n, value); }
void blend(float a, const float* x, float b, const float* noise, float* y, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(Blend)(a, x, b, noise, y, n);
}
void add_column_sums(Span x, std::int64_t rows, std::int64_t stride, std::int64_t n, float* sums) {
  HWY_DYNAMIC_DISPATCH(ColumnSumsSpan)(x, rows, stride, n, sums);
}

}  // namespace edt
#endif
