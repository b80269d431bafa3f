// With a[t] = mean of x[t]^2 and y = a / n, n = |a|: da = (dy - y (y . dy)) / n, dx[t] = 2 x[t] / D
// da[t]. Below its floor the norm is a number, and the second term of da is not there.
#include <algorithm>
#include <cmath>

#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {

void ReferenceBackend::attention_map_forward(T x, T map, T norms) {
  const std::int64_t batch = x.shape[0], tokens = x.shape[1], width = x.shape[2];
  const Doubles values = load(x);
  Doubles maps(static_cast<std::size_t>(batch * tokens), 0.0);
  Doubles all_norms(static_cast<std::size_t>(batch));
  for (std::int64_t b = 0; b < batch; ++b) {
    double squares = 0;
    for (std::int64_t t = b * tokens; t < (b + 1) * tokens; ++t) {
      for (std::int64_t c = 0; c < width; ++c) maps[t] += std::pow(values[t * width + c], 2);
      maps[t] /= static_cast<double>(width);
      squares += maps[t] * maps[t];
    }
    all_norms[b] = std::max(std::sqrt(squares), kAttentionMapFloor);
    for (std::int64_t t = b * tokens; t < (b + 1) * tokens; ++t) maps[t] /= all_norms[b];
  }
  store(maps, map);
  store(all_norms, norms);
}

void ReferenceBackend::attention_map_backward(T dmap, T x, T map, T norms, G dx) {
  const std::int64_t batch = x.shape[0], tokens = x.shape[1], width = x.shape[2];
  const Doubles dy = load(dmap), values = load(x), y = load(map), n = load(norms);
  Doubles d(values.size());
  for (std::int64_t b = 0; b < batch; ++b) {
    double along = 0;
    for (std::int64_t t = b * tokens; t < (b + 1) * tokens; ++t) along += y[t] * dy[t];
    if (n[b] <= kAttentionMapFloor) along = 0;
    for (std::int64_t t = b * tokens; t < (b + 1) * tokens; ++t) {
      const double da = (dy[t] - y[t] * along) / n[b];
      for (std::int64_t c = 0; c < width; ++c) {
        d[t * width + c] = 2 * values[t * width + c] / static_cast<double>(width) * da;
      }
    }
  }
  store(d, dx);
}

}  // namespace edt
