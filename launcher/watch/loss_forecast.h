// Where the loss of a run is going: a power law through its curve, told only where it is one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "launcher/watch/metrics_history.h"
#include "model/evaluation/power_law.h"

namespace edt {

struct LossForecast {
  std::string refusal;  // why there is none; empty: there is one
  PowerLaw law;
  std::int64_t step = 0;               // what is forecast
  double loss = 0, low = 0, high = 0;  // at that step, with 95 % of what the fit leaves open
  std::int64_t bins = 0;               // that were fitted to
  // Mean error, 0.02 is 2 %, over the second half of the steps of a fit to the first half; nothing
  // where these are too few.
  std::optional<double> backtest;

  bool is_sound() const { return refusal.empty(); }
};

// Of the mean loss over geometric bins, without the first 2 % of the steps and the warm-up. The
// interval is that of the curve, not of single steps, and at least as wide as the error that a fit
// to the first half would have made.
LossForecast forecast_loss(const MetricsHistory& metrics, std::int64_t step);

// "0.1523 at step 400,000 (0.1498 to 0.1549, fit 0.14 + 1.1 s^-0.33; from half of the steps it
// would have been 0.4 % off)", or why there is none.
std::string forecast_text(const LossForecast& forecast);

}  // namespace edt
