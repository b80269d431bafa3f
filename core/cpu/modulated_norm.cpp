// A row is read from memory once: statistics and the two passes that follow find it in L1. Backward
// sums dy and dy n over slices of a sample's tokens, then over the slices in order: of layer norm
// these are dshift and dscale, of RMS norm dscale and the weight's gradient follow from them.
#include <cmath>

#include "core/cpu/elementwise.h"
#include "core/cpu/kernels.h"
#include "core/cpu/norm_rows.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/modulated_norm.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

template <class T>
struct Row {
  T* parts[NormRows::kMaxParts];

  // Of gradients some may be unwanted.
  Row(const NormRows& rows, const NormInputs& inputs, std::int64_t row, bool some = false) {
    for (int p = 0; p < rows.parts; ++p) {
      T* input = static_cast<T*>(inputs.data[p]);
      parts[p] =
          some && input == nullptr ? nullptr : input + rows.token(row, p) * rows.part_width();
    }
  }
};

struct Statistics {
  float mean, inverse_std;
};

// Of RMS norm: the mean is taken to be 0.
template <class T>
Statistics RowScale(const NormRows& rows, const Row<T>& row) {
  const std::int64_t n = rows.part_width();
  FloatVec squares = Zero();
  for (int p = 0; p < rows.parts; ++p) {
    for (std::int64_t i = 0; i < n; i += Lanes()) {
      const FloatVec x = LoadVec(row.parts[p] + i, n - i);
      squares = hn::MulAdd(x, x, squares);
    }
  }
  const float mean_square = Sum(squares) / static_cast<float>(rows.width);
  return {0.0f, 1.0f / std::sqrt(mean_square + rows.epsilon)};
}

template <class T>
Statistics RowStatistics(const NormRows& rows, const Row<T>& row) {
  const std::int64_t n = rows.part_width();
  FloatVec sum = Zero();
  for (int p = 0; p < rows.parts; ++p) {
    for (std::int64_t i = 0; i < n; i += Lanes()) {
      sum = hn::Add(sum, LoadVec(row.parts[p] + i, n - i));
    }
  }
  const float mean = Sum(sum) / static_cast<float>(rows.width);
  const FloatVec m = Set(mean);
  FloatVec squares = Zero();
  for (int p = 0; p < rows.parts; ++p) {
    const T* x = row.parts[p];
    std::int64_t i = 0;
    for (; i + Lanes() <= n; i += Lanes()) {
      const FloatVec d = hn::Sub(LoadVec(x + i), m);
      squares = hn::MulAdd(d, d, squares);
    }
    if (i < n) {
      const auto inside = hn::FirstN(FloatTag(), static_cast<std::size_t>(n - i));
      const FloatVec d = hn::IfThenElseZero(inside, hn::Sub(LoadVec(x + i, n - i), m));
      squares = hn::MulAdd(d, d, squares);
    }
  }
  const float variance = Sum(squares) / static_cast<float>(rows.width);
  return {mean, 1.0f / std::sqrt(variance + rows.epsilon)};
}

// What multiplies n at an element: 1 + scale, times the weight of RMS norm.
template <bool kRms, class T>
HWY_INLINE FloatVec Factor(const T* weight, const T* scale, std::int64_t i, std::int64_t left) {
  const FloatVec factor = hn::Add(Set(1.0f), LoadVec(scale + i, left));
  if constexpr (kRms) return hn::Mul(factor, LoadVec(weight + i, left));
  return factor;
}

template <bool kRms, bool kShift, class T>
void ForwardRows(const NormRows& rows, const NormInputs& x, const T* weight, const Columns& shift,
                 const Columns& scale, T* y, float* stats, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = rows.part_width();
  for (std::int64_t r = begin; r < end; ++r) {
    const Row<T> row(rows, x, r);
    const Statistics s = kRms ? RowScale(rows, row) : RowStatistics(rows, row);
    stats[2 * r] = s.mean;
    stats[2 * r + 1] = s.inverse_std;
    const FloatVec mean = Set(s.mean), inverse_std = Set(s.inverse_std);
    for (int p = 0; p < rows.parts; ++p) {
      const T* in = row.parts[p];
      const T* add = kShift ? shift.row<T>(r / rows.tokens) + p * n : nullptr;
      const T* multiply = scale.row<T>(r / rows.tokens) + p * n;
      T* out = y + r * rows.width + p * n;
      const FloatVec keep = Set(rows.keep(r, p));
      for (std::int64_t i = 0; i < n; i += Lanes()) {
        const std::int64_t left = n - i;
        const FloatVec norm = hn::Mul(hn::Sub(LoadVec(in + i, left), mean), inverse_std);
        const FloatVec factor = Factor<kRms>(weight, multiply, i, left);
        const FloatVec v =
            kShift ? hn::MulAdd(norm, factor, LoadVec(add + i, left)) : hn::Mul(norm, factor);
        StoreVec(hn::Mul(v, keep), out + i, left);
      }
    }
  }
}

// Means over the row of g = dy factor and of g n; adds dy and dy n to the sums of the slice.
template <bool kRms, class T>
HWY_INLINE void RowSums(const NormRows& rows, std::int64_t r, const T* dy, const Row<T>& x,
                        const T* weight, const T* scale, Statistics s, float* sum_dy,
                        float* sum_dyn, float* mean_g, float* mean_gn) {
  const std::int64_t n = rows.part_width();
  const FloatVec mean = Set(s.mean), inverse_std = Set(s.inverse_std);
  FloatVec sum_g = Zero(), sum_gn = Zero();
  for (int p = 0; p < rows.parts; ++p) {
    const FloatVec keep = Set(rows.keep(r, p));
    const std::int64_t at = p * n;
    for (std::int64_t i = 0; i < n; i += Lanes()) {
      const std::int64_t left = n - i, j = at + i;
      const FloatVec d = hn::Mul(LoadVec(dy + j, left), keep);
      const FloatVec norm = hn::Mul(hn::Sub(LoadVec(x.parts[p] + i, left), mean), inverse_std);
      const FloatVec g = hn::Mul(d, Factor<kRms>(weight, scale, j, left));
      if constexpr (!kRms) sum_g = hn::Add(sum_g, g);
      sum_gn = hn::MulAdd(g, norm, sum_gn);
      StoreVec(hn::Add(LoadVec(sum_dy + j, left), d), sum_dy + j, left);
      StoreVec(hn::MulAdd(d, norm, LoadVec(sum_dyn + j, left)), sum_dyn + j, left);
    }
  }
  *mean_g = kRms ? 0.0f : Sum(sum_g) / static_cast<float>(rows.width);
  *mean_gn = Sum(sum_gn) / static_cast<float>(rows.width);
}

template <bool kRms, class T>
void BackwardRows(const NormRows& rows, const T* dy, const NormInputs& x, const T* weight,
                  const float* stats, const Columns& scale, const NormInputs& dx, float* sum_dy,
                  float* sum_dyn, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = rows.part_width();
  for (std::int64_t r = begin; r < end; ++r) {
    const Row<T> in(rows, x, r), out(rows, dx, r, true);
    const T* d = dy + r * rows.width;
    const T* multiply = scale.row<T>(r / rows.tokens);
    const Statistics s{stats[2 * r], stats[2 * r + 1]};
    float mean_g, mean_gn;
    RowSums<kRms>(rows, r, d, in, weight, multiply, s, sum_dy, sum_dyn, &mean_g, &mean_gn);
    const FloatVec mean = Set(s.mean), inverse_std = Set(s.inverse_std);
    for (int p = 0; p < rows.parts; ++p) {
      if (out.parts[p] == nullptr) continue;
      const FloatVec keep = Set(rows.keep(r, p));
      for (std::int64_t i = 0; i < n; i += Lanes()) {
        const std::int64_t left = n - i, j = p * n + i;
        const FloatVec norm = hn::Mul(hn::Sub(LoadVec(in.parts[p] + i, left), mean), inverse_std);
        const FloatVec g =
            hn::Mul(hn::Mul(LoadVec(d + j, left), keep), Factor<kRms>(weight, multiply, j, left));
        const FloatVec centred = hn::NegMulAdd(norm, Set(mean_gn), hn::Sub(g, Set(mean_g)));
        PutVec(hn::Mul(centred, inverse_std), out.parts[p] + i, left, dx.accumulate[p]);
      }
    }
  }
}

template <class T>
void ForwardOf(const NormRows& rows, const NormInputs& x, const void* weights, const Columns& shift,
               const Columns& scale, void* y, float* stats, std::int64_t begin, std::int64_t end) {
  const T* weight = static_cast<const T*>(weights);
  T* out = static_cast<T*>(y);
  const bool shifts = shift.tensor.defined();
  const auto run = weight == nullptr
                       ? (shifts ? ForwardRows<false, true, T> : ForwardRows<false, false, T>)
                       : (shifts ? ForwardRows<true, true, T> : ForwardRows<true, false, T>);
  run(rows, x, weight, shift, scale, out, stats, begin, end);
}

void Forward(DType dtype, const NormRows& rows, const NormInputs& x, const void* weight,
             const Columns& shift, const Columns& scale, void* y, float* stats, std::int64_t begin,
             std::int64_t end) {
  const auto run = dtype == DType::kFloat32 ? ForwardOf<float> : ForwardOf<bfloat16>;
  run(rows, x, weight, shift, scale, y, stats, begin, end);
}

template <class T>
void BackwardOf(const NormRows& rows, const void* dy, const NormInputs& x, const void* weights,
                const float* stats, const Columns& scale, const NormInputs& dx, float* sum_dy,
                float* sum_dyn, std::int64_t begin, std::int64_t end) {
  const T* weight = static_cast<const T*>(weights);
  const auto run = weight == nullptr ? BackwardRows<false, T> : BackwardRows<true, T>;
  run(rows, static_cast<const T*>(dy), x, weight, stats, scale, dx, sum_dy, sum_dyn, begin, end);
}

void Backward(DType dtype, const NormRows& rows, const void* dy, const NormInputs& x,
              const void* weight, const float* stats, const Columns& scale, const NormInputs& dx,
              float* sum_dy, float* sum_dyn, std::int64_t begin, std::int64_t end) {
  const auto run = dtype == DType::kFloat32 ? BackwardOf<float> : BackwardOf<bfloat16>;
  run(rows, dy, x, weight, stats, scale, dx, sum_dy, sum_dyn, begin, end);
}

// Of RMS norm, from sums = sum of dy n over a sample's tokens, which become dscale:
// dweight += (1 + scale) sums, sums *= weight.
template <class T>
void RmsSums(const T* weight, const T* scale, float* sums, float* dweight, std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += Lanes()) {
    const std::int64_t left = n - i;
    const FloatVec sum = LoadVec(sums + i, left);
    const FloatVec factor = hn::Add(Set(1.0f), LoadVec(scale + i, left));
    PutVec(hn::Mul(factor, sum), dweight + i, left, true);
    StoreVec(hn::Mul(sum, LoadVec(weight + i, left)), sums + i, left);
  }
}

void RmsSample(const Tensor& weight, const Columns& scale, std::int64_t sample, float* sums,
               float* dweight) {
  if (weight.dtype == DType::kFloat32) {
    RmsSums(weight.as<float>(), scale.row<float>(sample), sums, dweight, scale.width);
  } else {
    RmsSums(weight.as<bfloat16>(), scale.row<bfloat16>(sample), sums, dweight, scale.width);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edt {
namespace {

HWY_EXPORT(Forward);
HWY_EXPORT(Backward);
HWY_EXPORT(RmsSample);

// `weight` undefined: layer norm.
void norm_forward(const NormRows& rows, const NormInputs& x, const Tensor& weight,
                  const Columns& shift, const Columns& scale, const Tensor& y,
                  const Tensor& stats) {
  with_float_type(y.dtype, [](auto) {});
  parallel_ranges(rows.batch * rows.tokens, 8, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(Forward)
    (y.dtype, rows, x, weight.data, shift, scale, y.data, stats.as<float>(), begin, end);
  });
}

void add_sums(const float* sums, const Columns& to, std::int64_t sample) {
  if (!to.tensor.defined()) return;
  const Span target{to.tensor.data, to.tensor.dtype};
  convert({const_cast<float*>(sums)}, target.from(sample * to.stride() + to.column), to.width,
          true);
}

void norm_backward(Scratch& scratch, const NormRows& rows, const Tensor& dy, const NormInputs& x,
                   const Tensor& weight, const Tensor& stats, const Columns& scale,
                   const NormInputs& dx, const GradTarget& dweight, const Columns& dshift,
                   const Columns& dscale) {
  with_float_type(dy.dtype, [](auto) {});
  const std::int64_t width = rows.width;
  const std::int64_t slices = std::min(rows.tokens, (thread_count() + rows.batch - 1) / rows.batch);
  const std::int64_t tasks = rows.batch * slices;
  float* sums = scratch.floats(Slot::kPartials, tasks * 2 * width);
  parallel_ranges(tasks, 1, [&](std::int64_t begin, std::int64_t end) {
    fill({sums + begin * 2 * width}, (end - begin) * 2 * width, 0.0f);
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t first = task / slices * rows.tokens;
      const Range part = part_of(rows.tokens, slices, task % slices);
      float* sum = sums + task * 2 * width;
      HWY_DYNAMIC_DISPATCH(Backward)
      (dy.dtype, rows, dy.data, x, weight.data, stats.as<float>(), scale, dx, sum, sum + width,
       first + part.begin, first + part.end);
    }
  });
  if (dweight.wanted() && !dweight.accumulate) {
    fill({dweight.tensor.data}, width, 0.0f);
  }
  for (std::int64_t b = 0; b < rows.batch; ++b) {
    float* total = sums + b * slices * 2 * width;
    for (std::int64_t s = 1; s < slices; ++s) {
      convert({total + s * 2 * width}, {total}, 2 * width, true);
    }
    if (weight.defined()) {
      HWY_DYNAMIC_DISPATCH(RmsSample)
      (weight, scale, b, total + width, dweight.tensor.as<float>());
    }
    add_sums(total, dshift, b);
    add_sums(total + width, dscale, b);
  }
}

NormRows plain_rows(const Tensor& x) {
  return {.parts = 1, .batch = x.shape[0], .tokens = x.shape[1], .width = x.shape[2]};
}

NormRows merged_rows(const Tensor& x, const TokenGrid& grid, const Tensor& mask) {
  NormRows rows{.parts = 4, .batch = x.shape[0], .tokens = x.shape[1] / 4, .width = 4 * x.shape[2]};
  rows.grid = grid;
  rows.mask = mask.defined() ? mask.as<float>() : nullptr;
  return rows;
}

NormRows joined_rows(const Tensor& a) {
  return {.parts = 2, .batch = a.shape[0], .tokens = a.shape[1], .width = 2 * a.shape[2]};
}

NormInputs one_input(void* data, bool accumulate = false) {
  NormInputs inputs;
  std::fill_n(inputs.data, NormRows::kMaxParts, data);
  std::fill_n(inputs.accumulate, NormRows::kMaxParts, accumulate);
  return inputs;
}

}  // namespace

void CpuBackend::modulated_norm_forward(T x, C shift, C scale, T y, T stats) {
  norm_forward(plain_rows(x), one_input(x.data), {}, shift, scale, y, stats);
}

void CpuBackend::modulated_norm_backward(T dy, T x, T stats, C scale, G dx, C dshift, C dscale) {
  norm_backward(scratch_, plain_rows(x), dy, one_input(x.data), {}, stats, scale,
                one_input(dx.tensor.data, dx.accumulate), {}, dshift, dscale);
}

void CpuBackend::affine_norm_forward(T x, C shift, C scale, T y, T stats) {
  NormRows rows = plain_rows(x);
  rows.epsilon = static_cast<float>(kAffineNormEpsilon);
  norm_forward(rows, one_input(x.data), {}, shift, scale, y, stats);
}

void CpuBackend::affine_norm_backward(T dy, T x, T stats, C scale, G dx, C dshift, C dscale) {
  modulated_norm_backward(dy, x, stats, scale, dx, dshift, dscale);
}

void CpuBackend::modulated_rms_norm_forward(T x, T weight, C shift, C scale, T y, T stats) {
  norm_forward(plain_rows(x), one_input(x.data), weight, shift, scale, y, stats);
}

void CpuBackend::modulated_rms_norm_backward(T dy, T x, T weight, T stats, C scale, G dx, G dweight,
                                             C dshift, C dscale) {
  norm_backward(scratch_, plain_rows(x), dy, one_input(x.data), weight, stats, scale,
                one_input(dx.tensor.data, dx.accumulate), dweight, dshift, dscale);
}

void CpuBackend::merge_norm_forward(T x, Grid grid, C shift, C scale, T mask, T y, T stats) {
  norm_forward(merged_rows(x, grid, mask), one_input(x.data), {}, shift, scale, y, stats);
}

void CpuBackend::merge_norm_backward(T dy, T x, Grid grid, T stats, C scale, T mask, G dx, C dshift,
                                     C dscale) {
  norm_backward(scratch_, merged_rows(x, grid, mask), dy, one_input(x.data), {}, stats, scale,
                one_input(dx.tensor.data, dx.accumulate), {}, dshift, dscale);
}

void CpuBackend::concat_norm_forward(T a, T b, C shift, C scale, T y, T stats) {
  norm_forward(joined_rows(a), {{a.data, b.data}}, {}, shift, scale, y, stats);
}

void CpuBackend::concat_norm_backward(T dy, T a, T b, T stats, C scale, G da, G db, C dshift,
                                      C dscale) {
  const NormInputs gradients{{da.tensor.data, db.tensor.data}, {da.accumulate, db.accumulate}};
  norm_backward(scratch_, joined_rows(a), dy, {{a.data, b.data}}, {}, stats, scale, gradients, {},
                dshift, dscale);
}

}  // namespace edt
#endif
