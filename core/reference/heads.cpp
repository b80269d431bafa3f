// Per head of a token's queries and keys: n = (x - mean) / sqrt(var + eps), or without the mean,
// z = n w + b, then each pair of neighbours (a, b) of z turned: (a cos - b sin, b cos + a sin).
// Backward: dz is dy turned back; dw += dz n, db += dz and, with g = dz w,
// dx = (g - mean(g) - n mean(g n)) / sqrt(..), without mean(g) for RMS norm.
#include <cmath>

#include "core/ops/heads.h"
#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {
namespace {

struct Transform {
  std::int64_t places, heads, size;  // rows of the rotation: of a sample, or of all
  Doubles norms, rotation;           // empty: none
  bool layer = false;                // norm with a mean and biases

  Transform(const Tensor& qkv, const Tensor& norm_rows, const Tensor& rotations)
      : places(qkv.shape[1]), heads(qkv.shape[3]), size(qkv.shape[4]) {
    if (norm_rows.defined()) {
      norms = load(norm_rows);
      layer = norm_rows.shape[0] == 4;
    }
    if (!rotations.defined()) return;
    rotation = load(rotations);
    places = rotations.elements() / size;
  }

  // f(offset of the head, row of norms: 0 queries, 1 keys, 2 values, the token's place)
  template <class F>
  void for_each_head(std::int64_t elements, F f) const {
    for (std::int64_t head = 0; head < elements / size; ++head) {
      f(head * size, head / heads % 3, head / (3 * heads) % places);
    }
  }
  double weight(std::int64_t which, std::int64_t d) const { return norms[which * size + d]; }
  double bias(std::int64_t which, std::int64_t d) const {
    return layer ? norms[(2 + which) * size + d] : 0.0;
  }
  void turn(double* head, std::int64_t place, double direction) const {
    if (rotation.empty()) return;
    for (std::int64_t d = 0; d < size; d += 2) {
      const double c = rotation[place * size + d];
      const double s = direction * rotation[place * size + d + 1];
      const double a = head[d], b = head[d + 1];
      head[d] = a * c - b * s;
      head[d + 1] = b * c + a * s;
    }
  }

  struct Statistics {
    double mean = 0, inverse_std = 1;
  };
  Statistics statistics(const double* head) const {
    const auto n = static_cast<double>(size);
    Statistics s;
    for (std::int64_t d = 0; layer && d < size; ++d) s.mean += head[d] / n;
    double variance = 0;
    for (std::int64_t d = 0; d < size; ++d) {
      variance += (head[d] - s.mean) * (head[d] - s.mean) / n;
    }
    s.inverse_std = 1.0 / std::sqrt(variance + (layer ? kHeadLayerEpsilon : kHeadRmsEpsilon));
    return s;
  }
};

// dz of one head becomes dx; adds to the gradients of the norms.
void norm_backward(const Transform& t, const double* x, std::int64_t which, double* dz,
                   Doubles& dnorms) {
  const Transform::Statistics s = t.statistics(x);
  const auto size = static_cast<double>(t.size);
  double mean_g = 0, mean_gn = 0;
  for (std::int64_t d = 0; d < t.size; ++d) {
    const double n = (x[d] - s.mean) * s.inverse_std, g = dz[d] * t.weight(which, d);
    if (t.layer) mean_g += g / size;
    mean_gn += g * n / size;
    dnorms[which * t.size + d] += dz[d] * n;
    if (t.layer) dnorms[(2 + which) * t.size + d] += dz[d];
  }
  for (std::int64_t d = 0; d < t.size; ++d) {
    const double n = (x[d] - s.mean) * s.inverse_std, g = dz[d] * t.weight(which, d);
    dz[d] = (g - mean_g - n * mean_gn) * s.inverse_std;
  }
}

}  // namespace

void ReferenceBackend::head_transform_forward(T qkv, T norms, T rotation, T y) {
  const Transform t(qkv, norms, rotation);
  Doubles values = load(qkv);
  t.for_each_head(qkv.elements(), [&](std::int64_t at, std::int64_t which, std::int64_t place) {
    if (which == 2) return;
    double* head = values.data() + at;
    if (!t.norms.empty()) {
      const Transform::Statistics s = t.statistics(head);
      for (std::int64_t d = 0; d < t.size; ++d) {
        head[d] = (head[d] - s.mean) * s.inverse_std * t.weight(which, d) + t.bias(which, d);
      }
    }
    t.turn(head, place, 1);
  });
  store(values, y);
}

void ReferenceBackend::head_transform_backward(T dy, T qkv, T norms, T rotation, G dqkv, T dnorms) {
  const Transform t(dy, norms, rotation);
  Doubles d = load(dy), dparameters(t.norms.size(), 0.0);
  const Doubles x = t.norms.empty() ? Doubles{} : load(qkv);
  t.for_each_head(dy.elements(), [&](std::int64_t at, std::int64_t which, std::int64_t place) {
    if (which == 2) return;
    t.turn(d.data() + at, place, -1);
    if (!t.norms.empty()) norm_backward(t, x.data() + at, which, d.data() + at, dparameters);
  });
  store(d, dqkv);
  if (dnorms.defined()) store(dparameters, GradTarget{dnorms, true});
}

}  // namespace edt
