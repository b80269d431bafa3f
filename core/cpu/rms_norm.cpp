// Few rows, as many as a batch has samples: plain loops, whose sums are doubles.
#include "core/ops/rms_norm.h"

#include <cmath>

#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

namespace edt {
namespace {

template <class E>
float at(const E* row, std::int64_t j) {
  return static_cast<float>(row[j]);
}

template <class E>
void forward_row(const E* x, const E* weight, E* y, float& factor, std::int64_t n) {
  double squares = 0;
  for (std::int64_t j = 0; j < n; ++j) squares += double{at(x, j)} * at(x, j);
  factor = static_cast<float>(1 / std::sqrt(squares / static_cast<double>(n) + kRmsEpsilon));
  for (std::int64_t j = 0; j < n; ++j) y[j] = E(at(x, j) * factor * at(weight, j));
}

template <class E>
void backward_row(const E* dy, const E* x, const E* weight, float factor, E* dx, bool accumulate,
                  std::int64_t n) {
  double mean = 0;
  for (std::int64_t j = 0; j < n; ++j) {
    mean += double{at(weight, j) * at(dy, j)} * (at(x, j) * factor);
  }
  mean /= static_cast<double>(n);
  for (std::int64_t j = 0; j < n; ++j) {
    const double d = double{at(weight, j) * at(dy, j)} - mean * (at(x, j) * factor);
    put(dx[j], d * factor, accumulate);
  }
}

}  // namespace

void CpuBackend::rms_norm_forward(T x, T weight, T y, T factors) {
  with_float_type(x.dtype, [&]<class E>(E) {
    const std::int64_t n = x.shape[1];
    parallel_ranges(x.shape[0], 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        forward_row(x.as<E>() + i * n, weight.as<E>(), y.as<E>() + i * n, factors.as<float>()[i],
                    n);
      }
    });
  });
}

void CpuBackend::rms_norm_backward(T dy, T x, T weight, T factors, G dx, G dweight) {
  with_float_type(x.dtype, [&]<class E>(E) {
    const std::int64_t m = x.shape[0], n = x.shape[1];
    const float* const factor = factors.as<float>();
    parallel_ranges(n, kColumnGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t j = begin; j < end; ++j) {
        double sum = 0;
        for (std::int64_t i = 0; i < m; ++i) {
          sum += double{at(dy.as<E>(), i * n + j)} * (at(x.as<E>(), i * n + j) * factor[i]);
        }
        put(dweight.tensor.as<float>()[j], sum, dweight.accumulate);
      }
    });
    if (!dx.wanted()) return;
    parallel_ranges(m, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        backward_row(dy.as<E>() + i * n, x.as<E>() + i * n, weight.as<E>(), factor[i],
                     dx.tensor.as<E>() + i * n, dx.accumulate, n);
      }
    });
  });
}

}  // namespace edt
