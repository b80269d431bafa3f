#include "core/optim/adan.h"

#include <cmath>

#include "core/optim/config_checks.h"

namespace edt {
namespace {

template <bool kFirst>
void advance_piece(const AdanScalars& s, const float* __restrict grads, float* __restrict params,
                   float* __restrict exp_avg, float* __restrict exp_avg_diff,
                   float* __restrict exp_avg_sq, float* __restrict previous_grad, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    const AdanElement next = adan_step<kFirst>(
        s, grads[i], {params[i], exp_avg[i], exp_avg_diff[i], exp_avg_sq[i], previous_grad[i]});
    params[i] = next.param;
    exp_avg[i] = next.exp_avg;
    exp_avg_diff[i] = next.exp_avg_diff;
    exp_avg_sq[i] = next.exp_avg_sq;
    previous_grad[i] = next.previous_grad;
  }
}

}  // namespace

AdanScalars adan_scalars(const AdanConfig& config, const UpdateArgs& args) {
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
  piece(adan_scalars(config_, args), args.grads.data() + begin, args.params.data() + begin,
        state(0), state(1), state(2), state(3), end - begin);
}

}  // namespace edt
