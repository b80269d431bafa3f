// losses[b] = f[b] / G * sum over the G groups of a sample of the distance D(y, z); backward
// dy = dmean w[b]/B f[b]/G dD/dy with
//   D = (y - z)^2 of one value:  2 (y - z)
//   D = |y - z|:  sign(y - z)
//   D = cross-entropy of q = softmax(y / s) from p = softmax(z / t):  (q - p) / s
//   D = smooth L1:  (y - z) / beta within beta, sign(y - z) beyond
//   D = 1 - c, c = y z / (|y| |z|):  -(z / |z| - c y / |y|) / |y|, and 0 where |y| is below the
//   floor
#include <algorithm>
#include <cmath>

#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {
namespace {

struct Angle {
  double y_norm, z_norm, cosine;
  bool is_nobodys;  // y is too short to have a direction

  Angle(const double* y, const double* z, std::int64_t n) {
    double yy = 0, zz = 0, yz = 0;
    for (std::int64_t i = 0; i < n; ++i) yy += y[i] * y[i], zz += z[i] * z[i], yz += y[i] * z[i];
    y_norm = std::max(std::sqrt(yy), kDirectionFloor);
    z_norm = std::max(std::sqrt(zz), kDirectionFloor);
    cosine = yz / (y_norm * z_norm);
    is_nobodys = std::sqrt(yy) < kDirectionFloor;
  }
};

Doubles softmax(const double* x, std::int64_t n, double temperature) {
  const double most = *std::max_element(x, x + n);
  Doubles p(static_cast<std::size_t>(n));
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += p[i] = std::exp((x[i] - most) / temperature);
  for (double& value : p) value /= sum;
  return p;
}

double log_sum(const double* x, std::int64_t n, double temperature) {
  const double most = *std::max_element(x, x + n);
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += std::exp((x[i] - most) / temperature);
  return most / temperature + std::log(sum);
}

double cross_entropy(const TokenDistance& distance, const double* y, const double* z,
                     std::int64_t n) {
  const Doubles p = softmax(z, n, distance.target_temperature);
  const double all = log_sum(y, n, distance.temperature);
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += p[i] * (all - y[i] / distance.temperature);
  return sum;
}

// Of one value that is off by `error`.
double distance_of(const TokenDistance& distance, double error) {
  const double size = std::abs(error), beta = distance.beta;
  if (distance.kind == Distance::kAbsolute) return size;
  if (distance.kind == Distance::kSmoothL1)
    return size < beta ? size * size / (2 * beta) : size - beta / 2;
  return error * error;
}

double slope_of(const TokenDistance& distance, double error) {
  const double sign = error > 0 ? 1 : error < 0 ? -1 : 0;
  if (distance.kind == Distance::kAbsolute) return sign;
  if (distance.kind == Distance::kSmoothL1)
    return std::abs(error) < distance.beta ? error / distance.beta : sign;
  return 2 * error;
}

double distance_of(const TokenDistance& distance, const double* y, const double* z,
                   std::int64_t n) {
  if (distance.kind == Distance::kDirection) return 1 - Angle(y, z, n).cosine;
  if (distance.kind == Distance::kCrossEntropy) return cross_entropy(distance, y, z, n);
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += distance_of(distance, y[i] - z[i]);
  return sum / static_cast<double>(n);
}

void slope_of(const TokenDistance& distance, const double* y, const double* z, std::int64_t n,
              double* slope) {
  if (distance.kind == Distance::kCrossEntropy) {
    const Doubles q = softmax(y, n, distance.temperature),
                  p = softmax(z, n, distance.target_temperature);
    for (std::int64_t i = 0; i < n; ++i) slope[i] = (q[i] - p[i]) / distance.temperature;
    return;
  }
  if (distance.kind == Distance::kDirection) {
    const Angle angle(y, z, n);
    for (std::int64_t i = 0; i < n; ++i) {
      const double turned = z[i] / angle.z_norm - angle.cosine * y[i] / angle.y_norm;
      slope[i] = angle.is_nobodys ? 0 : -turned / angle.y_norm;
    }
    return;
  }
  for (std::int64_t i = 0; i < n; ++i) {
    slope[i] = slope_of(distance, y[i] - z[i]) / static_cast<double>(n);
  }
}

}  // namespace

void ReferenceBackend::noise_target(T x_start, T noise, T mix, Int patch, T target) {
  const std::int64_t channels = x_start.shape[1], height = x_start.shape[2],
                     width = x_start.shape[3], columns = width / patch;
  const Doubles clean = load(x_start), drawn = load(noise), factor = load(mix);
  Doubles out(clean.size());
  std::int64_t pixel = 0;
  for (std::int64_t b = 0; b < x_start.shape[0]; ++b) {
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t y = 0; y < height; ++y) {
        for (std::int64_t x = 0; x < width; ++x, ++pixel) {
          const std::int64_t token = (b * (height / patch) + y / patch) * columns + x / patch;
          const std::int64_t cell = y % patch * patch + x % patch;
          out[(token * patch * patch + cell) * channels + c] =
              factor[2 * b] * clean[pixel] + factor[2 * b + 1] * drawn[pixel];
        }
      }
    }
  }
  store(out, target);
}

void ReferenceBackend::token_loss_forward(T tokens, T target, T factors, T weights, How distance,
                                          T losses, T mean) {
  const std::int64_t batch = tokens.shape[0], per_sample = tokens.elements() / batch,
                     group = distance.group;
  const Doubles y = load(tokens), z = load(target), f = load(factors), w = load(weights);
  const std::int64_t groups = per_sample / group;
  Doubles sums(static_cast<std::size_t>(batch), 0.0);
  double total = 0;
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t at = b * per_sample; at < (b + 1) * per_sample; at += group) {
      sums[b] += distance_of(distance, &y[at], &z[at], group);
    }
    sums[b] *= f[b] / static_cast<double>(groups);
    total += w[b] * sums[b] / static_cast<double>(batch);
  }
  store(sums, losses);
  store(Doubles{total}, mean);
}

void ReferenceBackend::token_loss_backward(T dmean, T tokens, T target, T factors, T weights,
                                           How distance, G dtokens) {
  const std::int64_t batch = tokens.shape[0], per_sample = tokens.elements() / batch,
                     group = distance.group;
  const Doubles y = load(tokens), z = load(target), f = load(factors), w = load(weights);
  const std::int64_t groups = per_sample / group;
  const double seed = load(dmean)[0] / static_cast<double>(batch) / static_cast<double>(groups);
  Doubles d(y.size());
  for (std::int64_t at = 0; at < tokens.elements(); at += group) {
    const std::int64_t b = at / per_sample;
    slope_of(distance, &y[at], &z[at], group, &d[at]);
    for (std::int64_t i = at; i < at + group; ++i) d[i] *= seed * w[b] * f[b];
  }
  store(d, dtokens);
}

}  // namespace edt
