#include "launcher/recipe/optimizer_options.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/optim/power_average.h"

namespace edt {
namespace {

template <std::size_t N>
std::array<double, N> to_betas(const std::vector<double>& values) {
  require<UsageError>(values.size() == N, "options",
                      "optimizer.betas has {} values, this optimizer takes {}", values.size(), N);
  std::array<double, N> betas;
  std::ranges::copy(values, betas.begin());
  return betas;
}

}  // namespace

void OptimizerOptions::declare(OptionSet& options) {
  options.section("optimizer", "Optimizer");
  options
      .add("optimizer.kind", &kind,
           {{"adan", OptimizerKind::kAdan}, {"adamw", OptimizerKind::kAdamW}}, "update rule")
      .alias("kind");  // as before there was a process.kind
  options.add("optimizer.betas", &betas, "decay of the moments")
      .at_least(0)
      .below(1)
      .single_precision()
      .default_is("0.98,0.92,0.99 of adan, 0.9,0.999 of adamw");
  options.add("optimizer.eps", &eps, "added to the denominator").above(0).single_precision();
  options.add("optimizer.weight-decay", &weight_decay, "decoupled weight decay")
      .at_least(0)
      .single_precision();
  options.add("optimizer.no-prox", &no_prox, "decay before the update instead of the proximal step")
      .used_when("optimizer.kind", {"adan"});
  options.add("optimizer.ema-decay", &ema_decay, "decay of the moving average of the weights")
      .at_least(0)
      .below(1)
      .single_precision();
  declare_averages(options);
  options.add("optimizer.lr", &rate.initial, "learning rate after the warm-up")
      .above(0)
      .single_precision();
  options.add("optimizer.schedule", &rate.kind,
              {{"constant", ScheduleKind::kConstant},
               {"linear", ScheduleKind::kLinear},
               {"cosine", ScheduleKind::kCosine}},
              "course of the learning rate");
  options.add("optimizer.lr-final", &rate.final, "learning rate from decay-steps on")
      .above(0)
      .single_precision()
      .used_when("optimizer.schedule", {"linear", "cosine"});
  options.add("optimizer.decay-steps", &rate.decay_steps, "steps until lr-final")
      .at_least(1)
      .used_when("optimizer.schedule", {"linear", "cosine"});
  options.add("optimizer.warmup-steps", &rate.warmup_steps, "steps of linear warm-up").at_least(0);
}

void OptimizerOptions::declare_averages(OptionSet& options) {
  options
      .add("optimizer.power-averages", &power_averages,
           "lengths of averages that are kept besides, to make others of any length of afterwards "
           "(edt ckpt ema), as shares of the run: 0.05,0.1; none: nothing is kept")
      .range(kShortestAverage, kLongestAverage)
      .free_to_change();
}

void OptimizerOptions::check_averages() const {
  for (std::size_t i = 0; i < power_averages.size(); ++i) {
    require<UsageError>(
        std::count(power_averages.begin(), power_averages.end(), power_averages[i]) == 1, "options",
        "optimizer.power-averages names {} twice", power_averages[i]);
  }
}

std::string OptimizerOptions::remark_on_average(std::int64_t steps) const {
  const auto left_after = [&](double decay) { return std::pow(decay, static_cast<double>(steps)); };
  if (ema_decay == 0 || left_after(ema_decay) < 0.1) return "";
  const std::string line = fmt::format(
      "after {} steps {:.0f} % of the moving average, which samples are drawn from, will still be "
      "the weights that the run begins with (optimizer.ema-decay {:.6g}",
      steps, 100 * left_after(ema_decay), ema_decay);
  constexpr std::int64_t kFewest = 100;  // in fewer no average is of use
  if (steps < kFewest) return line + ')';
  const double shorter = 1 - 5.0 / static_cast<double>(steps);
  return line + fmt::format("; {:.4g} leaves {:.1f} %)", shorter, 100 * left_after(shorter));
}

OptimizerConfig OptimizerOptions::resolve() const {
  if (kind == OptimizerKind::kAdan) {
    AdanConfig config{.eps = eps, .weight_decay = weight_decay, .no_prox = no_prox};
    if (betas) config.betas = to_betas<3>(*betas);
    return config;
  }
  AdamWConfig config{.eps = eps, .weight_decay = weight_decay};
  if (betas) config.betas = to_betas<2>(*betas);
  return config;
}

}  // namespace edt
