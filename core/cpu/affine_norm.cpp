// Few rows, as many as a batch has samples: plain loops over columns, whose sums are doubles. The
// norm itself is in modulated_norm.cpp.
#include "core/ops/affine_norm.h"

#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

namespace edt {
namespace {

constexpr std::int64_t kFoldedColumns = 256;  // of a thread at a time

// Of a sample; without a tensor 0.
template <class E>
float column_or_zero(const Columns& columns, std::int64_t row, std::int64_t at) {
  return columns.tensor.defined() ? static_cast<float>(columns.row<E>(row)[at]) : 0.0f;
}

template <class E>
void add_column(const Columns& columns, std::int64_t row, std::int64_t at, double value) {
  if (columns.tensor.defined()) put(columns.row<E>(row)[at], value, true);
}

}  // namespace

void CpuBackend::fold_affine_forward(T weight, T bias, C shift, C scale, T y) {
  const std::int64_t n = weight.shape[0], rows = y.shape[0];
  with_float_type(y.dtype, [&]<class E>(E) {
    parallel_ranges(n, kFoldedColumns, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = 0; row < rows; ++row) {
        E* out = y.as<E>() + 2 * row * n;
        for (std::int64_t j = begin; j < end; ++j) {
          const float factor = 1 + column_or_zero<E>(scale, row, j);
          const auto w = static_cast<float>(weight.as<E>()[j]);
          const auto b = static_cast<float>(bias.as<E>()[j]);
          out[j] = E(b * factor + column_or_zero<E>(shift, row, j));
          out[n + j] = E(w * factor - 1);
        }
      }
    });
  });
}

void CpuBackend::fold_affine_backward(T dy, T weight, T bias, C scale, C dshift, C dscale,
                                      G dweight, G dbias) {
  const std::int64_t n = weight.shape[0], rows = dy.shape[0];
  with_float_type(dy.dtype, [&]<class E>(E) {
    parallel_ranges(n, kFoldedColumns, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t j = begin; j < end; ++j) {
        const double w = static_cast<float>(weight.as<E>()[j]);
        const double b = static_cast<float>(bias.as<E>()[j]);
        double to_weight = 0, to_bias = 0;
        for (std::int64_t row = 0; row < rows; ++row) {
          const E* d = dy.as<E>() + 2 * row * n;
          const double of_shift = static_cast<float>(d[j]), of_scale = static_cast<float>(d[n + j]);
          const double factor = 1.0 + column_or_zero<E>(scale, row, j);
          to_weight += of_scale * factor;
          to_bias += of_shift * factor;
          add_column<E>(dshift, row, j, of_shift);
          add_column<E>(dscale, row, j, of_scale * w + of_shift * b);
        }
        put(dweight.tensor.as<float>()[j], to_weight, dweight.accumulate);
        put(dbias.tensor.as<float>()[j], to_bias, dbias.accumulate);
      }
    });
  });
}

}  // namespace edt
