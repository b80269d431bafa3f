// One pass over the weight in each kernel. Sums are of blocks of a fixed size, then of these in
// order: the number of threads changes no bit.
#include "core/ops/ternary.h"

#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/ternary.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

template <class T>
float SumOfMagnitudes(const T* w, std::int64_t n) {
  FloatVec sum = Zero();
  for (std::int64_t i = 0; i < n; i += Lanes()) sum = hn::Add(sum, hn::Abs(LoadVec(w + i, n - i)));
  return Sum(sum);
}

// `one` with the sign of w where |w| > edge, else 0.
HWY_INLINE FloatVec Signed(FloatVec w, FloatVec edge, FloatVec one) {
  const FloatVec sign = hn::And(w, hn::SignBit(FloatTag()));
  return hn::IfThenElseZero(hn::Gt(hn::Abs(w), edge), hn::Xor(one, sign));
}

template <class T>
void Quantize(const T* w, float edge, float scale, T* value, std::int64_t n) {
  const FloatVec at = Set(edge), a = Set(scale);
  for (std::int64_t i = 0; i < n; i += Lanes()) {
    StoreVec(Signed(LoadVec(w + i, n - i), at, a), value + i, n - i);
  }
}

template <class T>
float Gradient(const float* dvalue, const T* w, float edge, float scale, float* dweight,
               bool accumulate, std::int64_t n) {
  const FloatVec at = Set(edge), a = Set(scale), one = Set(1.0f);
  FloatVec sum = Zero();
  for (std::int64_t i = 0; i < n; i += Lanes()) {
    const FloatVec d = LoadVec(dvalue + i, n - i);
    sum = hn::MulAdd(d, Signed(LoadVec(w + i, n - i), at, one), sum);
    if (dweight != nullptr) PutVec(hn::Mul(a, d), dweight + i, n - i, accumulate);
  }
  return Sum(sum);
}

float SumOf(DType dtype, const void* w, std::int64_t at, std::int64_t n) {
  return dtype == DType::kFloat32 ? SumOfMagnitudes(static_cast<const float*>(w) + at, n)
                                  : SumOfMagnitudes(static_cast<const bfloat16*>(w) + at, n);
}

void QuantizeRange(DType dtype, const void* w, float edge, float scale, void* value,
                   std::int64_t at, std::int64_t n) {
  if (dtype == DType::kFloat32) {
    Quantize(static_cast<const float*>(w) + at, edge, scale, static_cast<float*>(value) + at, n);
  } else {
    Quantize(static_cast<const bfloat16*>(w) + at, edge, scale, static_cast<bfloat16*>(value) + at,
             n);
  }
}

float GradientRange(DType dtype, const float* dvalue, const void* w, float edge, float scale,
                    const GradTarget& dweight, std::int64_t at, std::int64_t n) {
  float* const to = dweight.wanted() ? static_cast<float*>(dweight.tensor.data) + at : nullptr;
  const bool adds = dweight.accumulate;
  return dtype == DType::kFloat32
             ? Gradient(dvalue + at, static_cast<const float*>(w) + at, edge, scale, to, adds, n)
             : Gradient(dvalue + at, static_cast<const bfloat16*>(w) + at, edge, scale, to, adds,
                        n);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edt {
namespace {
HWY_EXPORT(SumOf);
HWY_EXPORT(QuantizeRange);
HWY_EXPORT(GradientRange);

constexpr std::int64_t kBlock = 8192;  // elements that are summed before others are

// The sum of f(begin, size) of all blocks of n elements.
template <class F>
double sum_of_blocks(Scratch& scratch, std::int64_t n, F&& f) {
  const std::int64_t blocks = (n + kBlock - 1) / kBlock;
  float* const sums = scratch.floats(Slot::kPartials, blocks);
  parallel_ranges(blocks, 2, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      sums[b] = f(b * kBlock, std::min(kBlock, n - b * kBlock));
    }
  });
  double total = 0;
  for (std::int64_t b = 0; b < blocks; ++b) total += sums[b];
  return total;
}

float edge_of(const Tensor& sum, std::int64_t elements) {
  return static_cast<float>(ternary_edge(*sum.as<float>(), elements));
}

float first_of(const Tensor& tensor) {
  return tensor.dtype == DType::kFloat32 ? *tensor.as<float>()
                                         : static_cast<float>(*tensor.as<bfloat16>());
}

}  // namespace

void CpuBackend::absolute_sum(T weight, T sum) {
  with_float_type(weight.dtype, [](auto) {});
  *sum.as<float>() = static_cast<float>(
      sum_of_blocks(scratch_, weight.elements(), [&](std::int64_t at, std::int64_t n) {
        return HWY_DYNAMIC_DISPATCH(SumOf)(weight.dtype, weight.data, at, n);
      }));
}

void CpuBackend::ternary_quantize(T weight, T sum, Int elements, T scale, T value) {
  with_float_type(weight.dtype, [](auto) {});
  EDT_ASSERT(value.dtype == weight.dtype);
  const float edge = edge_of(sum, elements), a = first_of(scale);
  parallel_ranges(weight.elements(), kBlock, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(QuantizeRange)
    (weight.dtype, weight.data, edge, a, value.data, begin, end - begin);
  });
}

void CpuBackend::ternary_gradient(T dvalue, T weight, T sum, Int elements, T scale, G dweight,
                                  G dscale) {
  with_float_type(weight.dtype, [](auto) {});
  const float edge = edge_of(sum, elements), a = first_of(scale);
  const double total =
      sum_of_blocks(scratch_, weight.elements(), [&](std::int64_t at, std::int64_t n) {
        return HWY_DYNAMIC_DISPATCH(GradientRange)(weight.dtype, dvalue.as<float>(), weight.data,
                                                   edge, a, dweight, at, n);
      });
  put(*dscale.tensor.as<float>(), total, dscale.accumulate);
}

}  // namespace edt
#endif
