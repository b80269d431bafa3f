// The loss touches one token tensor of the width of a patch, so plain double arithmetic is free;
// the samples are spread over the threads, and unpatchify is only an index. Formulas: see
// core/ops/diffusion_loss.h; per element and in nats,
//   KL    = 0.5 (l - l0 - 1 + exp(l0 - l) + (m0 - m)^2 exp(-l)),  l the model's log variance
//   at t = 0: -log of the normal's mass in the 1/255 bin around x_0, by the tanh approximation.
#include <cmath>
#include <numbers>

#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

namespace edt {
namespace {

using K = LossCoefficient;

struct Bound {
  double value = 0, slope = 0;  // in nats, and its derivative by the log variance
};

Bound kl_bound(double m0, double l0, double m, double l) {
  const double ratio = std::exp(l0 - l), distance = (m0 - m) * (m0 - m) * std::exp(-l);
  return {0.5 * (l - l0 - 1.0 + ratio + distance), 0.5 * (1.0 - ratio - distance)};
}

// Approximate normal distribution function at z, and z times its derivative.
struct Cdf {
  double value, slope;

  explicit Cdf(double z) {
    constexpr double kScale = 0.79788456080286535588, kCubic = 0.044715;
    const double t = std::tanh(kScale * z * (1.0 + kCubic * z * z));
    value = 0.5 * (1.0 + t);
    slope = 0.5 * (1.0 - t * t) * kScale * (1.0 + 3.0 * kCubic * z * z) * z;
  }
};

Bound decoder_bound(double x, double m, double l) {
  constexpr double kHalfBin = 1.0 / 255.0, kEdge = 0.999, kFloor = 1e-12;
  const double inverse_std = std::exp(-0.5 * l);
  const Cdf high((x - m + kHalfBin) * inverse_std), low((x - m - kHalfBin) * inverse_std);
  // The bins at both ends are open.
  const bool open_below = x<-kEdge, open_above = x> kEdge;
  const double mass = (open_above ? 1.0 : high.value) - (open_below ? 0.0 : low.value);
  if (mass < kFloor) return {-std::log(kFloor), 0.0};
  const double dmass = (open_above ? 0.0 : high.slope) - (open_below ? 0.0 : low.slope);
  return {-std::log(mass), 0.5 * dmass / mass};  // dz/dl = -z/2
}

struct Sample {
  const float* k;  // coefficients
  const float *x_start, *x_t, *noise;
  std::int64_t channels, height, width, patch;

  Sample(const Tensor& coefficients, const Tensor& start, const Tensor& noisy, const Tensor& drawn,
         std::int64_t patch_size, std::int64_t b)
      : k(coefficients.as<float>() + b * K::kCount),
        channels(start.shape[1]),
        height(start.shape[2]),
        width(start.shape[3]),
        patch(patch_size) {
    const std::int64_t at = b * pixels();
    x_start = start.as<float>() + at;
    x_t = noisy.as<float>() + at;
    noise = drawn.as<float>() + at;
  }

  std::int64_t pixels() const { return channels * height * width; }

  // The derivative is by the variance output v.
  Bound bound(std::int64_t pixel, double predicted, double v) const {
    const double span = k[K::kLogVarianceMax] - k[K::kLogVarianceMin];
    const double l = k[K::kLogVarianceMin] + 0.5 * (v + 1.0) * span;
    const double start =
        k[K::kSqrtRecipAlphaBar] * x_t[pixel] - k[K::kSqrtRecipM1AlphaBar] * predicted;
    const double from_noisy = k[K::kPosteriorMean2] * x_t[pixel];
    const double m = k[K::kPosteriorMean1] * start + from_noisy;
    const double m0 = k[K::kPosteriorMean1] * x_start[pixel] + from_noisy;
    Bound bound = k[K::kIsFirstStep] != 0 ? decoder_bound(x_start[pixel], m, l)
                                          : kl_bound(m0, k[K::kLogVarianceMin], m, l);
    bound.slope *= 0.5 * span;
    return bound;
  }

  // f(pixel, index in the sample's tokens of its predicted noise; its variance is `channels` on)
  template <class F>
  void for_each_pixel(F f) const {
    std::int64_t pixel = 0;
    const std::int64_t columns = width / patch;
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t y = 0; y < height; ++y) {
        for (std::int64_t x = 0; x < width; ++x) {
          const std::int64_t token = y / patch * columns + x / patch;
          const std::int64_t in_patch = y % patch * patch + x % patch;
          f(pixel++, (token * patch * patch + in_patch) * 2 * channels + c);
        }
      }
    }
  }
};

template <class E>
void sample_loss(const Sample& sample, const E* tokens, float* mse, float* vb) {
  double squares = 0, nats = 0;
  sample.for_each_pixel([&](std::int64_t pixel, std::int64_t at) {
    const double predicted = static_cast<float>(tokens[at]);
    const double error = sample.noise[pixel] - predicted;
    squares += error * error;
    if (sample.k[K::kVbWeight] == 0) return;
    nats += sample.bound(pixel, predicted, static_cast<float>(tokens[at + sample.channels])).value;
  });
  const auto n = static_cast<double>(sample.pixels());
  *mse = static_cast<float>(sample.k[K::kMseWeight] * squares / n);
  *vb = static_cast<float>(sample.k[K::kVbWeight] * nats / (n * std::numbers::ln2));
}

template <class E>
void sample_gradient(const Sample& sample, const E* tokens, double seed, E* dtokens,
                     bool accumulate) {
  const double scale = seed / static_cast<double>(sample.pixels());
  const auto put = [accumulate](E& target, double value) {
    const double before = accumulate ? static_cast<double>(static_cast<float>(target)) : 0.0;
    target = E(static_cast<float>(before + value));
  };
  sample.for_each_pixel([&](std::int64_t pixel, std::int64_t at) {
    const double predicted = static_cast<float>(tokens[at]);
    const double v = static_cast<float>(tokens[at + sample.channels]);
    put(dtokens[at], scale * sample.k[K::kMseWeight] * 2.0 * (predicted - sample.noise[pixel]));
    const double weight = sample.k[K::kVbWeight] / std::numbers::ln2;
    put(dtokens[at + sample.channels],
        weight == 0 ? 0.0 : scale * weight * sample.bound(pixel, predicted, v).slope);
  });
}

}  // namespace

void CpuBackend::diffusion_loss_forward(T tokens, T x_start, T x_t, T noise, T coefficients,
                                        T sample_weights, std::int64_t patch, T mse, T vb, T mean) {
  const std::int64_t batch = x_start.shape[0], per_sample = tokens.elements() / batch;
  with_float_type(tokens.dtype, [&]<class E>(E) {
    parallel_ranges(batch, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t b = begin; b < end; ++b) {
        sample_loss(Sample(coefficients, x_start, x_t, noise, patch, b),
                    tokens.as<E>() + b * per_sample, mse.as<float>() + b, vb.as<float>() + b);
      }
    });
  });
  double total = 0;
  for (std::int64_t b = 0; b < batch; ++b) {
    const double loss = static_cast<double>(mse.as<float>()[b]) + vb.as<float>()[b];
    total += sample_weights.as<float>()[b] * loss;
  }
  *mean.as<float>() = static_cast<float>(total / static_cast<double>(batch));
}

void CpuBackend::diffusion_loss_backward(T dmean, T tokens, T x_start, T x_t, T noise,
                                         T coefficients, T sample_weights, std::int64_t patch,
                                         G dtokens) {
  if (!dtokens.wanted()) return;
  const std::int64_t batch = x_start.shape[0], per_sample = tokens.elements() / batch;
  const double seed = *dmean.as<float>() / static_cast<double>(batch);
  with_float_type(tokens.dtype, [&]<class E>(E) {
    parallel_ranges(batch, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t b = begin; b < end; ++b) {
        sample_gradient(Sample(coefficients, x_start, x_t, noise, patch, b),
                        tokens.as<E>() + b * per_sample, seed * sample_weights.as<float>()[b],
                        dtokens.tensor.as<E>() + b * per_sample, dtokens.accumulate);
      }
    });
  });
}

}  // namespace edt
