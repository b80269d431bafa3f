// Few weights and their factors: plain loops. Activations go row by row, as in gate.cpp, each
// factor spread over its unit's columns before. Formulas: core/reference/unit_mask.cpp.
#include "core/ops/unit_mask.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/cpu/elementwise.h"
#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"
#include "core/ops/unit_mask_formula.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/unit_mask.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

template <class E>
void MaskRows(const E* x, const float* factors, E* y, std::int64_t rows, std::int64_t n) {
  for (std::int64_t r = 0; r < rows; ++r, x += n, y += n) {
    for (std::int64_t i = 0; i < n; i += Lanes()) {
      const std::int64_t left = n - i;
      StoreVec(hn::Mul(LoadVec(x + i, left), LoadVec(factors + i, left)), y + i, left);
    }
  }
}

// dx (+)= dy factor, sums += dy x; dx may be null.
template <class E>
void MaskRowsBack(const E* dy, const E* x, const float* factors, E* dx, bool accumulate,
                  float* sums, std::int64_t rows, std::int64_t n) {
  for (std::int64_t r = 0; r < rows; ++r, dy += n, x += n) {
    for (std::int64_t i = 0; i < n; i += Lanes()) {
      const std::int64_t left = n - i;
      const FloatVec d = LoadVec(dy + i, left);
      StoreVec(hn::MulAdd(d, LoadVec(x + i, left), LoadVec(sums + i, left)), sums + i, left);
      if (dx == nullptr) continue;
      PutVec(hn::Mul(d, LoadVec(factors + i, left)), dx + r * n + i, left, accumulate);
    }
  }
}

void MaskSpan(const Span& x, const float* factors, const Span& y, std::int64_t rows,
              std::int64_t n) {
  if (x.dtype == DType::kFloat32) {
    return MaskRows(static_cast<const float*>(x.data), factors, static_cast<float*>(y.data), rows,
                    n);
  }
  MaskRows(static_cast<const bfloat16*>(x.data), factors, static_cast<bfloat16*>(y.data), rows, n);
}

void MaskSpanBack(const Span& dy, const Span& x, const float* factors, const Span& dx,
                  bool accumulate, float* sums, std::int64_t rows, std::int64_t n) {
  if (x.dtype == DType::kFloat32) {
    return MaskRowsBack(static_cast<const float*>(dy.data), static_cast<const float*>(x.data),
                        factors, static_cast<float*>(dx.data), accumulate, sums, rows, n);
  }
  MaskRowsBack(static_cast<const bfloat16*>(dy.data), static_cast<const bfloat16*>(x.data), factors,
               static_cast<bfloat16*>(dx.data), accumulate, sums, rows, n);
}

// Rows whose units have factors of their own. y = x f.
template <class E>
void MaskOwnRows(const E* x, const float* factors, E* y, std::int64_t rows, std::int64_t units,
                 std::int64_t size) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t u = 0; u < units; ++u, x += size, y += size) {
      const FloatVec factor = Set(factors[u]);
      for (std::int64_t i = 0; i < size; i += Lanes()) {
        StoreVec(hn::Mul(LoadVec(x + i, size - i), factor), y + i, size - i);
      }
    }
  }
}

// dx (+)= dy f, sums of dy x by unit; dx may be null.
template <class E>
void MaskOwnRowsBack(const E* dy, const E* x, const float* factors, E* dx, bool accumulate,
                     double* sums, std::int64_t rows, std::int64_t units, std::int64_t size) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t u = 0; u < units; ++u, dy += size, x += size) {
      const FloatVec factor = Set(factors[u]);
      FloatVec sum = Set(0.0f);
      for (std::int64_t i = 0; i < size; i += Lanes()) {
        const FloatVec d = LoadVec(dy + i, size - i);
        sum = hn::MulAdd(d, LoadVec(x + i, size - i), sum);
        if (dx != nullptr) PutVec(hn::Mul(d, factor), dx + i, size - i, accumulate);
      }
      sums[u] += double{Sum(sum)};
      if (dx != nullptr) dx += size;
    }
  }
}

void MaskOwnSpan(const Span& x, const float* factors, const Span& y, std::int64_t rows,
                 std::int64_t units, std::int64_t size) {
  if (x.dtype == DType::kFloat32) {
    return MaskOwnRows(static_cast<const float*>(x.data), factors, static_cast<float*>(y.data),
                       rows, units, size);
  }
  MaskOwnRows(static_cast<const bfloat16*>(x.data), factors, static_cast<bfloat16*>(y.data), rows,
              units, size);
}

void MaskOwnSpanBack(const Span& dy, const Span& x, const float* factors, const Span& dx,
                     bool accumulate, double* sums, std::int64_t rows, std::int64_t units,
                     std::int64_t size) {
  if (x.dtype == DType::kFloat32) {
    return MaskOwnRowsBack(static_cast<const float*>(dy.data), static_cast<const float*>(x.data),
                           factors, static_cast<float*>(dx.data), accumulate, sums, rows, units,
                           size);
  }
  MaskOwnRowsBack(static_cast<const bfloat16*>(dy.data), static_cast<const bfloat16*>(x.data),
                  factors, static_cast<bfloat16*>(dx.data), accumulate, sums, rows, units, size);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edt {
namespace {

HWY_EXPORT(MaskSpan);
HWY_EXPORT(MaskSpanBack);
HWY_EXPORT(MaskOwnSpan);
HWY_EXPORT(MaskOwnSpanBack);

// The price and the place of a unit in its band, and what it adds to a sum or, of the norm, its
// number there.
float part_of_sparsity(SparsityForm form, const float* w, const float* band, std::int64_t n,
                       std::int64_t i) {
  const float bound = band[i], price = band[2 * n + i];
  if (!within_band(w[i], bound)) return 0;
  if (form == SparsityForm::kRelu) return price * (w[i] + bound);
  return price * (bound - (form == SparsityForm::kUprelu ? w[i] : std::abs(w[i])));
}

// Each factor `size` times.
const float* spread(Scratch& scratch, const Tensor& factors, std::int64_t columns) {
  const std::int64_t n = factors.elements(), size = columns / n;
  if (size == 1) return factors.as<float>();
  float* all = scratch.floats(Slot::kBias1, columns);
  for (std::int64_t i = 0; i < n; ++i) std::fill_n(all + i * size, size, factors.as<float>()[i]);
  return all;
}

// x in parts of neighbouring rows, each with factors of its own.
struct FactorParts {
  FactorParts(const Tensor& x, const Tensor& factors)
      : count(factors.shape.rows()),
        rows(x.shape[0] / count),
        units(factors.shape.columns()),
        columns(x.shape[1]),
        grain(std::max<std::int64_t>(1, 4096 / (rows * columns))) {}

  std::int64_t count, rows, units, columns;
  std::int64_t grain;  // parts that a thread takes at the least
};

void mask_parts(const Tensor& x, const Tensor& factors, const Tensor& y) {
  const FactorParts parts(x, factors);
  const Span from{x.data, x.dtype}, to{y.data, y.dtype};
  parallel_ranges(parts.count, parts.grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = begin; part < end; ++part) {
      const std::int64_t at = part * parts.rows * parts.columns;
      HWY_DYNAMIC_DISPATCH(MaskOwnSpan)
      (from.from(at), factors.as<float>() + part * parts.units, to.from(at), parts.rows,
       parts.units, parts.columns / parts.units);
    }
  });
}

// Each part is one thread's, so that its sums need no others.
void mask_parts_back(const Tensor& dy, const Tensor& x, const Tensor& factors, const GradTarget& dx,
                     const GradTarget& dfactors) {
  const FactorParts parts(x, factors);
  const Span d{dy.data, dy.dtype}, in{x.data, x.dtype}, out{dx.tensor.data, dy.dtype};
  parallel_ranges(parts.count, parts.grain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<double> sums(static_cast<std::size_t>(parts.units));
    for (std::int64_t part = begin; part < end; ++part) {
      const std::int64_t at = part * parts.rows * parts.columns, first = part * parts.units;
      std::ranges::fill(sums, 0.0);
      HWY_DYNAMIC_DISPATCH(MaskOwnSpanBack)
      (d.from(at), in.from(at), factors.as<float>() + first, dx.wanted() ? out.from(at) : Span{},
       dx.accumulate, sums.data(), parts.rows, parts.units, parts.columns / parts.units);
      if (!dfactors.wanted()) continue;
      for (std::int64_t u = 0; u < parts.units; ++u) {
        put(dfactors.tensor.as<float>()[first + u], sums[static_cast<std::size_t>(u)],
            dfactors.accumulate);
      }
    }
  });
}

}  // namespace

void CpuBackend::band_mask_forward(T weights, T band, T factors) {
  const std::int64_t n = weights.elements();
  const float *w = weights.as<float>(), *of = band.as<float>();
  for (std::int64_t i = 0; i < n; ++i) {
    factors.as<float>()[i] = of[n + i] * mask_factor(w[i], of[i]);
  }
}

void CpuBackend::band_mask_backward(T dfactors, T weights, T band, G dweights) {
  const std::int64_t n = weights.elements();
  const float *w = weights.as<float>(), *of = band.as<float>(), *d = dfactors.as<float>();
  for (std::int64_t i = 0; i < n; ++i) {
    put(dweights.tensor.as<float>()[i], double{d[i]} * of[n + i] * mask_slope(w[i], of[i]),
        dweights.accumulate);
  }
}

void CpuBackend::band_sparsity_forward(SparsityForm form, T weights, T band, T losses, T sum) {
  const std::int64_t n = weights.elements();
  const bool is_norm = form == SparsityForm::kBound;
  double total = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double part = part_of_sparsity(form, weights.as<float>(), band.as<float>(), n, i);
    total += is_norm ? part * part : part;
  }
  const auto result = static_cast<float>(is_norm ? std::sqrt(total) : total);
  sum.as<float>()[0] = result;
  for (std::int64_t b = 0; b < losses.elements(); ++b) losses.as<float>()[b] += result;
}

void CpuBackend::band_sparsity_backward(SparsityForm form, T dsum, T sum, T weights, T band,
                                        G dweights) {
  const std::int64_t n = weights.elements();
  const float *w = weights.as<float>(), *of = band.as<float>();
  const double d = dsum.as<float>()[0], total = sum.as<float>()[0];
  for (std::int64_t i = 0; i < n; ++i) {
    double slope = 0;
    if (within_band(w[i], of[i])) {
      slope = form == SparsityForm::kRelu ? of[2 * n + i] : -of[2 * n + i];
      if (form == SparsityForm::kBound) {
        const double part = part_of_sparsity(form, w, of, n, i);
        slope *= total > 0 ? (w[i] > 0 ? part / total : -part / total) : 0;
      }
    }
    put(dweights.tensor.as<float>()[i], d * slope, dweights.accumulate);
  }
}

void CpuBackend::mask_units_forward(T x, T factors, T y) {
  with_float_type(x.dtype, [](auto) {});
  if (factors.shape.rows() > 1) return mask_parts(x, factors, y);
  const std::int64_t columns = x.shape[1];
  const float* const all = spread(scratch_, factors, columns);
  const Span from{x.data, x.dtype}, to{y.data, y.dtype};
  parallel_ranges(x.shape[0], 8, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(MaskSpan)
    (from.from(begin * columns), all, to.from(begin * columns), end - begin, columns);
  });
}

// Sums of each thread's rows, then over threads in order.
void CpuBackend::mask_units_backward(T dy, T x, T factors, G dx, G dfactors) {
  with_float_type(x.dtype, [](auto) {});
  if (factors.shape.rows() > 1) return mask_parts_back(dy, x, factors, dx, dfactors);
  const std::int64_t columns = x.shape[1], n = factors.elements(), size = columns / n;
  const float* const all = spread(scratch_, factors, columns);
  const std::int64_t parts = thread_count();
  float* const sums = scratch_.floats(Slot::kPartials, parts * columns);
  edt::fill({sums}, parts * columns, 0.0f);
  const Span d{dy.data, dy.dtype}, in{x.data, x.dtype}, out{dx.tensor.data, dy.dtype};
  parallel_parts(x.shape[0], 8, [&](std::int64_t part, Range r) {
    const std::int64_t at = r.begin * columns;
    HWY_DYNAMIC_DISPATCH(MaskSpanBack)
    (d.from(at), in.from(at), all, dx.wanted() ? out.from(at) : Span{}, dx.accumulate,
     sums + part * columns, r.size(), columns);
  });
  if (!dfactors.wanted()) return;
  for (std::int64_t i = 0; i < n; ++i) {
    double sum = 0;
    for (std::int64_t part = 0; part < parts; ++part) {
      for (std::int64_t j = i * size; j < (i + 1) * size; ++j) sum += sums[part * columns + j];
    }
    put(dfactors.tensor.as<float>()[i], sum, dfactors.accumulate);
  }
}

}  // namespace edt
#endif
