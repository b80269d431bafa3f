// mean = sum_b w[b] (mse[b] + vb[b]) / B over images of n elements.
//   mse[b] = mse_weight / n * sum (noise - predicted)^2
//   vb[b] = vb_weight / (n ln 2) * sum of bound terms (variational_bound.h), with
//   log variance = lmin + (v + 1)/2 (lmax - lmin), so d(log variance)/dv = (lmax - lmin)/2.
// Backward: dpredicted = dmean w/B mse_weight/n 2 (predicted - noise),
//   dv = dmean w/B vb_weight/(n ln 2) dterm/dlog (lmax - lmin)/2; the bound's mean is detached.
#include "core/reference/doubles.h"
#include "core/reference/kernels.h"
#include "core/reference/variational_bound.h"

namespace edt {
namespace {

using K = LossCoefficient;

struct LossProblem {
  Doubles tokens, x_start, x_t, noise, coefficients;
  Shape image;
  std::int64_t patch;

  // Where channel c of pixel (y, x) of a sample's output is; the variance is C further.
  std::int64_t token_at(std::int64_t b, std::int64_t c, std::int64_t y, std::int64_t x) const {
    const std::int64_t rows = image[2] / patch, columns = image[3] / patch;
    const std::int64_t token = (b * rows + y / patch) * columns + x / patch,
                       channels = 2 * image[1];
    return ((token * patch + y % patch) * patch + x % patch) * channels + c;
  }

  BoundTerm bound(const double* k, std::int64_t pixel, double predicted, double v) const {
    const double width = k[K::kLogVarianceMax] - k[K::kLogVarianceMin];
    const double log_variance = k[K::kLogVarianceMin] + 0.5 * (v + 1.0) * width;
    const double predicted_start =
        k[K::kSqrtRecipAlphaBar] * x_t[pixel] - k[K::kSqrtRecipM1AlphaBar] * predicted;
    const auto posterior_mean = [&](double start) {
      return k[K::kPosteriorMean1] * start + k[K::kPosteriorMean2] * x_t[pixel];
    };
    const double mean = posterior_mean(predicted_start);
    BoundTerm term = k[K::kIsFirstStep] != 0 ? decoder_term(x_start[pixel], mean, log_variance)
                                             : kl_term(posterior_mean(x_start[pixel]),
                                                       k[K::kLogVarianceMin], mean, log_variance);
    term.dv *= 0.5 * width;
    return term;
  }

  // f(sample, its coefficients, pixel index, token index of the predicted noise)
  template <class F>
  void for_each_pixel(F f) const {
    std::int64_t pixel = 0;
    for (std::int64_t b = 0; b < image[0]; ++b) {
      const double* k = coefficients.data() + b * K::kCount;
      for (std::int64_t c = 0; c < image[1]; ++c) {
        for (std::int64_t y = 0; y < image[2]; ++y) {
          for (std::int64_t x = 0; x < image[3]; ++x) f(b, k, pixel++, token_at(b, c, y, x));
        }
      }
    }
  }

  double elements() const { return static_cast<double>(image[1] * image[2] * image[3]); }
};

}  // namespace

void ReferenceBackend::diffusion_loss_forward(T tokens, T x_start, T x_t, T noise, T coefficients,
                                              T sample_weights, std::int64_t patch, T mse, T vb,
                                              T mean) {
  const LossProblem problem{load(tokens),       load(x_start), load(x_t), load(noise),
                            load(coefficients), x_start.shape, patch};
  const std::int64_t batch = x_start.shape[0], channels = x_start.shape[1];
  const double n = problem.elements();
  Doubles squares(static_cast<std::size_t>(batch), 0.0), bits(squares);
  problem.for_each_pixel([&](auto b, const double* k, auto pixel, auto at) {
    const double predicted = problem.tokens[at], v = problem.tokens[at + channels];
    const double error = problem.noise[pixel] - predicted;
    squares[b] += k[K::kMseWeight] / n * error * error;
    if (k[K::kVbWeight] == 0) return;
    bits[b] +=
        k[K::kVbWeight] / (n * std::numbers::ln2) * problem.bound(k, pixel, predicted, v).value;
  });
  store(squares, mse);
  store(bits, vb);
  const Doubles weights = load(sample_weights);
  double total = 0;
  for (std::int64_t b = 0; b < batch; ++b) {
    total += weights[b] * (squares[b] + bits[b]) / static_cast<double>(batch);
  }
  store(Doubles{total}, mean);
}

void ReferenceBackend::diffusion_loss_backward(T dmean, T tokens, T x_start, T x_t, T noise,
                                               T coefficients, T sample_weights, std::int64_t patch,
                                               G dtokens) {
  const LossProblem problem{load(tokens),       load(x_start), load(x_t), load(noise),
                            load(coefficients), x_start.shape, patch};
  const std::int64_t channels = x_start.shape[1];
  const double seed = load(dmean)[0] / static_cast<double>(x_start.shape[0]);
  const double n = problem.elements();
  const Doubles weights = load(sample_weights);
  Doubles d(problem.tokens.size(), 0.0);
  problem.for_each_pixel([&](auto b, const double* k, auto pixel, auto at) {
    const double predicted = problem.tokens[at], v = problem.tokens[at + channels];
    const double scale = seed * weights[b] / n;
    d[at] = scale * k[K::kMseWeight] * 2.0 * (predicted - problem.noise[pixel]);
    if (k[K::kVbWeight] == 0) return;
    d[at + channels] =
        scale * k[K::kVbWeight] / std::numbers::ln2 * problem.bound(k, pixel, predicted, v).dv;
  });
  store(d, dtokens);
}

}  // namespace edt
