// A token's row is read once and summed in double; samples are spread over the threads. Formulas:
// core/reference/attention_map.cpp.
#include <algorithm>
#include <cmath>

#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

namespace edt {
namespace {

template <class E>
double mean_square(const E* x, std::int64_t n) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double value = static_cast<float>(x[i]);
    sum += value * value;
  }
  return sum / static_cast<double>(n);
}

template <class E>
void sample_map(const E* x, std::int64_t tokens, std::int64_t width, float* map, float& norm) {
  double squares = 0;
  for (std::int64_t t = 0; t < tokens; ++t) {
    map[t] = static_cast<float>(mean_square(x + t * width, width));
    squares += static_cast<double>(map[t]) * map[t];
  }
  norm = static_cast<float>(std::max(std::sqrt(squares), kAttentionMapFloor));
  for (std::int64_t t = 0; t < tokens; ++t) map[t] /= norm;
}

template <class E>
void sample_gradient(const float* dy, const E* x, const float* y, float norm, std::int64_t tokens,
                     std::int64_t width, E* dx, bool accumulate) {
  double along = 0;
  for (std::int64_t t = 0; t < tokens; ++t) along += static_cast<double>(y[t]) * dy[t];
  if (norm <= static_cast<float>(kAttentionMapFloor)) along = 0;
  for (std::int64_t t = 0; t < tokens; ++t) {
    const double factor = 2 * (dy[t] - y[t] * along) / (norm * static_cast<double>(width));
    for (std::int64_t c = t * width; c < (t + 1) * width; ++c) {
      put(dx[c], factor * static_cast<float>(x[c]), accumulate);
    }
  }
}

}  // namespace

void CpuBackend::attention_map_forward(T x, T map, T norms) {
  const std::int64_t batch = x.shape[0], tokens = x.shape[1], width = x.shape[2];
  with_float_type(x.dtype, [&]<class E>(E) {
    parallel_ranges(batch, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t b = begin; b < end; ++b) {
        sample_map(x.as<E>() + b * tokens * width, tokens, width, map.as<float>() + b * tokens,
                   norms.as<float>()[b]);
      }
    });
  });
}

void CpuBackend::attention_map_backward(T dmap, T x, T map, T norms, G dx) {
  if (!dx.wanted()) return;
  const std::int64_t batch = x.shape[0], tokens = x.shape[1], width = x.shape[2];
  with_float_type(x.dtype, [&]<class E>(E) {
    parallel_ranges(batch, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t b = begin; b < end; ++b) {
        const std::int64_t first = b * tokens * width;
        sample_gradient(dmap.as<float>() + b * tokens, x.as<E>() + first,
                        map.as<float>() + b * tokens, norms.as<float>()[b], tokens, width,
                        dx.tensor.as<E>() + first, dx.accumulate);
      }
    });
  });
}

}  // namespace edt
