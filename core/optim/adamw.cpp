#include "core/optim/adamw.h"

#include <cmath>

#include "core/optim/config_checks.h"

namespace edt {
namespace {

void advance_piece(const AdamWScalars& s, const float* __restrict grads, float* __restrict params,
                   float* __restrict exp_avg, float* __restrict exp_avg_sq, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    const AdamWElement next = adamw_step(s, grads[i], {params[i], exp_avg[i], exp_avg_sq[i]});
    params[i] = next.param;
    exp_avg[i] = next.exp_avg;
    exp_avg_sq[i] = next.exp_avg_sq;
  }
}

}  // namespace

AdamWScalars adamw_scalars(const AdamWConfig& config, const UpdateArgs& args) {
  const auto [b1, b2] = config.betas;
  const auto step = static_cast<double>(args.step);
  const auto f = [](double value) { return static_cast<float>(value); };
  return {.grad_scale = f(args.grad_scale),
          .b1 = f(b1),
          .b2 = f(b2),
          .take1 = f(1 - b1),
          .take2 = f(1 - b2),
          .root_correction = f(std::sqrt(1 - std::pow(b2, step))),
          .eps = f(config.eps),
          .step_size = f(args.learning_rate / (1 - std::pow(b1, step))),
          .decay = f(1 - args.learning_rate * config.weight_decay)};
}

AdamW::AdamW(const AdamWConfig& config) : config_(config) {
  for (double beta : config.betas) check_beta("adamw", beta);
  check_eps_and_decay("adamw", config.eps, config.weight_decay);
}

std::span<const std::string_view> AdamW::state_names() const {
  static constexpr std::array<std::string_view, 2> kNames{"exp_avg", "exp_avg_sq"};
  return kNames;
}

void AdamW::advance(const UpdateArgs& args, std::size_t begin, std::size_t end) const {
  advance_piece(adamw_scalars(config_, args), args.grads.data() + begin, args.params.data() + begin,
                args.states[0].data() + begin, args.states[1].data() + begin, end - begin);
}

}  // namespace edt
