#include "core/optim/adan.h"

#include <cmath>

#include "core/optim/config_checks.h"

namespace edt {
namespace {

// Scalars of one update. With g the clipped gradient and d = g - previous g:
//   m = b1 m + (1-b1) g,  v = b2 v + (1-b2) d,  n = b3 n + (1-b3) (g + b2 d)^2
//   denom = sqrt(n) / root_correction + eps
//   w = (decay_before * w - step_m * (m / denom) - step_v * (v / denom)) / decay_after
// in this order of roundings, which is PyTorch's.
struct Scalars {
  float grad_scale;
  float b1, b2, b3, take1, take2, take3;
  float root_correction, eps;
  float step_m, step_v;
  float decay_before, decay_after;
};

Scalars scalars_of(const AdanConfig& config, const UpdateArgs& args) {
  const auto [b1, b2, b3] = config.betas;
  const auto step = static_cast<double>(args.step);
  const double decay = args.learning_rate * config.weight_decay;
  const auto f = [](double value) { return static_cast<float>(value); };
  return {.grad_scale = f(args.grad_scale),
          .b1 = f(b1),
          .b2 = f(b2),
          .b3 = f(b3),
          .take1 = f(1 - b1),
          .take2 = f(1 - b2),
          .take3 = f(1 - b3),
          .root_correction = f(std::sqrt(1 - std::pow(b3, step))),
          .eps = f(config.eps),
          .step_m = f(args.learning_rate / (1 - std::pow(b1, step))),
          .step_v = f(args.learning_rate * b2 / (1 - std::pow(b2, step))),
          .decay_before = f(config.no_prox ? 1 - decay : 1),
          .decay_after = f(config.no_prox ? 1 : 1 + decay)};
}

// On the first step the previous gradient is this one, so that the difference is zero.
template <bool kFirst>
void advance_piece(const Scalars& s, const float* __restrict grads, float* __restrict params,
                   float* __restrict exp_avg, float* __restrict exp_avg_diff,
                   float* __restrict exp_avg_sq, float* __restrict previous_grad, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    const float grad = grads[i] * s.grad_scale;
    const float diff = kFirst ? 0.0f : grad - previous_grad[i];
    const float look_ahead = grad + s.b2 * diff;
    const float m = s.b1 * exp_avg[i] + s.take1 * grad;
    const float v = s.b2 * exp_avg_diff[i] + s.take2 * diff;
    const float square = s.b3 * exp_avg_sq[i] + s.take3 * (look_ahead * look_ahead);
    const float denom = std::sqrt(square) / s.root_correction + s.eps;
    const float moved =
        s.decay_before * params[i] - s.step_m * (m / denom) - s.step_v * (v / denom);
    params[i] = moved / s.decay_after;
    exp_avg[i] = m;
    exp_avg_diff[i] = v;
    exp_avg_sq[i] = square;
    previous_grad[i] = grad;
  }
}

}  // namespace

Adan::Adan(const AdanConfig& config) : config_(config) {
  for (double beta : config.betas) check_beta("adan", beta);
  check_eps_and_decay("adan", config.eps, config.weight_decay);
}

std::span<const std::string_view> Adan::state_names() const {
  static constexpr std::array<std::string_view, 4> kNames{"exp_avg", "exp_avg_diff", "exp_avg_sq",
                                                          "previous_grad"};
  return kNames;
}

void Adan::advance(const UpdateArgs& args, std::size_t begin, std::size_t end) const {
  const auto state = [&](std::size_t i) { return args.states[i].data() + begin; };
  const auto piece = args.step == 1 ? advance_piece<true> : advance_piece<false>;
  piece(scalars_of(config_, args), args.grads.data() + begin, args.params.data() + begin, state(0),
        state(1), state(2), state(3), end - begin);
}

}  // namespace edt
