// As the diffusion loss: one token tensor of the width of a patch, so plain double arithmetic is
// free, and the samples are spread over the threads. Formulas: core/reference/token_loss.cpp.
#include <algorithm>
#include <cmath>

#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

namespace edt {
namespace {

struct Angle {
  double y_norm = 0, z_norm = 0, cosine = 0;
  bool is_nobodys = false;  // y is too short to have a direction

  template <class E>
  Angle(const E* y, const float* z, std::int64_t n) {
    double yy = 0, zz = 0, yz = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      const double a = static_cast<float>(y[i]), b = z[i];
      yy += a * a, zz += b * b, yz += a * b;
    }
    is_nobodys = std::sqrt(yy) < kDirectionFloor;
    y_norm = std::max(std::sqrt(yy), kDirectionFloor);
    z_norm = std::max(std::sqrt(zz), kDirectionFloor);
    cosine = yz / (y_norm * z_norm);
  }
};

// Of logits at a temperature: exp((x - most) / temperature) / sum is their softmax.
struct Softmax {
  double most = 0, sum = 0, temperature;

  template <class E>
  Softmax(const E* x, std::int64_t n, double at) : temperature(at) {
    most = static_cast<float>(x[0]);
    for (std::int64_t i = 1; i < n; ++i) most = std::max(most, double{static_cast<float>(x[i])});
    for (std::int64_t i = 0; i < n; ++i) sum += raised(static_cast<float>(x[i]));
  }
  double raised(double x) const { return std::exp((x - most) / temperature); }
  double probability(double x) const { return raised(x) / sum; }
};

template <class E>
double cross_entropy(const TokenDistance& distance, const E* y, const float* z, std::int64_t n) {
  const Softmax q(y, n, distance.temperature), p(z, n, distance.target_temperature);
  const double log_sum = std::log(q.sum);
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double log_q = (static_cast<float>(y[i]) - q.most) / q.temperature - log_sum;
    sum -= p.probability(z[i]) * log_q;
  }
  return sum;
}

// Distances of single values, and their slopes.
struct Square {
  double distance(double error) const { return error * error; }
  double slope(double error) const { return 2 * error; }
};
struct Absolute {
  double distance(double error) const { return std::abs(error); }
  double slope(double error) const { return error > 0 ? 1 : error < 0 ? -1 : 0; }
};
struct SmoothL1 {
  double beta;
  bool is_near(double error) const { return std::abs(error) < beta; }
  double distance(double error) const {
    return is_near(error) ? error * error / (2 * beta) : std::abs(error) - beta / 2;
  }
  double slope(double error) const {
    return is_near(error) ? error / beta : Absolute().slope(error);
  }
};

template <class Run>
void with_measure(const TokenDistance& distance, Run&& run) {
  if (distance.kind == Distance::kAbsolute) return run(Absolute{});
  if (distance.kind == Distance::kSmoothL1) return run(SmoothL1{distance.beta});
  run(Square{});
}

template <class E>
double error_of(const E* y, const float* z, std::int64_t i) {
  return static_cast<double>(static_cast<float>(y[i])) - z[i];
}

template <class E>
double mean_distance(const TokenDistance& distance, const E* y, const float* z, std::int64_t n) {
  double sum = 0;
  if (distance.of_groups()) {
    const std::int64_t group = distance.group;
    const bool turns = distance.kind == Distance::kDirection;
    for (std::int64_t i = 0; i < n; i += group) {
      sum += turns ? 1 - Angle(y + i, z + i, group).cosine
                   : cross_entropy(distance, y + i, z + i, group);
    }
    const std::int64_t groups = n / group;
    return sum / static_cast<double>(groups);
  }
  with_measure(distance, [&](const auto& measure) {
    for (std::int64_t i = 0; i < n; ++i) sum += measure.distance(error_of(y, z, i));
  });
  return sum / static_cast<double>(n);
}

// Adds `scale` times the gradient of mean_distance(), or overwrites with it.
template <class E>
void sample_gradient(const TokenDistance& distance, const E* y, const float* z, std::int64_t n,
                     double scale, E* dy, bool accumulate) {
  if (!distance.of_groups()) {
    const double factor = scale / static_cast<double>(n);
    with_measure(distance, [&](const auto& measure) {
      for (std::int64_t i = 0; i < n; ++i) {
        put(dy[i], factor * measure.slope(error_of(y, z, i)), accumulate);
      }
    });
    return;
  }
  const std::int64_t group = distance.group, groups = n / group;
  if (distance.kind == Distance::kCrossEntropy) {
    const double factor = scale / (static_cast<double>(groups) * distance.temperature);
    for (std::int64_t first = 0; first < n; first += group) {
      const Softmax q(y + first, group, distance.temperature),
          p(z + first, group, distance.target_temperature);
      for (std::int64_t i = first; i < first + group; ++i) {
        const double own = q.probability(static_cast<float>(y[i]));
        put(dy[i], factor * (own - p.probability(z[i])), accumulate);
      }
    }
    return;
  }
  for (std::int64_t first = 0; first < n; first += group) {
    const Angle angle(y + first, z + first, group);
    const double factor =
        angle.is_nobodys ? 0 : scale / (static_cast<double>(groups) * angle.y_norm);
    for (std::int64_t i = first; i < first + group; ++i) {
      const double own = static_cast<float>(y[i]);
      put(dy[i], factor * (angle.cosine * own / angle.y_norm - z[i] / angle.z_norm), accumulate);
    }
  }
}

}  // namespace

void CpuBackend::noise_target(T x_start, T noise, T mix, Int patch, T target) {
  const std::int64_t batch = x_start.shape[0], channels = x_start.shape[1],
                     height = x_start.shape[2], width = x_start.shape[3];
  const std::int64_t per_sample = channels * height * width, columns = width / patch;
  parallel_ranges(batch, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      const float *clean = x_start.as<float>() + b * per_sample,
                  *drawn = noise.as<float>() + b * per_sample;
      const float of_clean = mix.as<float>()[2 * b], of_drawn = mix.as<float>()[2 * b + 1];
      float* out = target.as<float>() + b * per_sample;
      for (std::int64_t pixel = 0; pixel < per_sample; ++pixel) {
        const std::int64_t x = pixel % width, y = pixel / width % height,
                           c = pixel / (width * height);
        const std::int64_t token = y / patch * columns + x / patch;
        const std::int64_t cell = y % patch * patch + x % patch;
        out[(token * patch * patch + cell) * channels + c] =
            of_clean * clean[pixel] + of_drawn * drawn[pixel];
      }
    }
  });
}

void CpuBackend::token_loss_forward(T tokens, T target, T factors, T weights, How distance,
                                    T losses, T mean) {
  const std::int64_t batch = tokens.shape[0], n = tokens.elements() / batch;
  with_float_type(tokens.dtype, [&]<class E>(E) {
    parallel_ranges(batch, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t b = begin; b < end; ++b) {
        const double distances =
            mean_distance(distance, tokens.as<E>() + b * n, target.as<float>() + b * n, n);
        losses.as<float>()[b] = static_cast<float>(factors.as<float>()[b] * distances);
      }
    });
  });
  double total = 0;
  for (std::int64_t b = 0; b < batch; ++b) {
    total += static_cast<double>(weights.as<float>()[b]) * losses.as<float>()[b];
  }
  *mean.as<float>() = static_cast<float>(total / static_cast<double>(batch));
}

void CpuBackend::token_loss_backward(T dmean, T tokens, T target, T factors, T weights,
                                     How distance, G dtokens) {
  if (!dtokens.wanted()) return;
  const std::int64_t batch = tokens.shape[0], n = tokens.elements() / batch;
  const double seed = *dmean.as<float>() / static_cast<double>(batch);
  with_float_type(tokens.dtype, [&]<class E>(E) {
    parallel_ranges(batch, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t b = begin; b < end; ++b) {
        const double scale = seed * weights.as<float>()[b] * factors.as<float>()[b];
        sample_gradient(distance, tokens.as<E>() + b * n, target.as<float>() + b * n, n, scale,
                        dtokens.tensor.as<E>() + b * n, dtokens.accumulate);
      }
    });
  });
}

}  // namespace edt
