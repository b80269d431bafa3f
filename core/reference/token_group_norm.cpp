// With n = (x - mean) r, p = n w + b and g = dp w, where dp = dy (p > 0 ? 1 : slope):
// dw = sum dp n, db = sum dp, dx = r (g - mean(g) - n mean(g n)), the means being those of a group.
#include "core/ops/token_group_norm.h"

#include <cmath>

#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {
namespace {

// f(sample and group, first element of it in [B, T, C], its channel) for each row of a group.
template <class F>
void for_each_element(const Shape& x, std::int64_t groups, std::int64_t group_of_batch, F f) {
  const std::int64_t size = x[2] / groups, first = group_of_batch % groups * size;
  for (std::int64_t t = 0; t < x[1]; ++t) {
    for (std::int64_t c = first; c < first + size; ++c) {
      f((group_of_batch / groups * x[1] + t) * x[2] + c, c);
    }
  }
}

}  // namespace

void ReferenceBackend::token_group_norm_forward(T x, T weight, T bias, T stats, T y) {
  const std::int64_t groups = stats.shape[1];
  const std::int64_t elements = x.shape[1] * x.shape[2] / groups;
  const auto count = static_cast<double>(elements);
  const Doubles in = load(x), w = load(weight), b = load(bias);
  Doubles out(in.size()), found;
  for (std::int64_t g = 0; g < x.shape[0] * groups; ++g) {
    double mean = 0, square = 0;
    for_each_element(x.shape, groups, g, [&](auto i, auto) { mean += in[i] / count; });
    for_each_element(x.shape, groups, g,
                     [&](auto i, auto) { square += (in[i] - mean) * (in[i] - mean) / count; });
    const double factor = 1 / std::sqrt(square + kGroupNormEpsilon);
    found.insert(found.end(), {mean, factor});
    for_each_element(x.shape, groups, g, [&](auto i, auto c) {
      const double p = (in[i] - mean) * factor * w[c] + b[c];
      out[i] = p > 0 ? p : kLeakySlope * p;
    });
  }
  store(found, stats);
  store(out, y);
}

void ReferenceBackend::token_group_norm_backward(T dy, T x, T weight, T bias, T stats, G dx,
                                                 G dweight, G dbias) {
  const std::int64_t groups = stats.shape[1];
  const std::int64_t elements = x.shape[1] * x.shape[2] / groups;
  const auto count = static_cast<double>(elements);
  const Doubles d = load(dy), in = load(x), w = load(weight), b = load(bias), of = load(stats);
  Doubles din(in.size()), dw(w.size(), 0.0), db(b.size(), 0.0);
  for (std::int64_t g = 0; g < x.shape[0] * groups; ++g) {
    const double mean = of[2 * g], factor = of[2 * g + 1];
    const auto normed = [&](auto i) { return (in[i] - mean) * factor; };
    const auto before = [&](auto i, auto c) {
      return d[i] * (normed(i) * w[c] + b[c] > 0 ? 1 : kLeakySlope);
    };
    double sum = 0, product = 0;
    for_each_element(x.shape, groups, g, [&](auto i, auto c) {
      dw[c] += before(i, c) * normed(i);
      db[c] += before(i, c);
      sum += before(i, c) * w[c] / count;
      product += before(i, c) * w[c] * normed(i) / count;
    });
    for_each_element(x.shape, groups, g, [&](auto i, auto c) {
      din[i] = factor * (before(i, c) * w[c] - sum - normed(i) * product);
    });
  }
  store(din, dx);
  store(dw, dweight);
  store(db, dbias);
}

}  // namespace edt
