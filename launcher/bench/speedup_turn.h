// One turn of one variant: the model is built, warmed up, timed, and gone.
#pragma once

#include "launcher/bench/speedup.h"

namespace edt {

struct Turn {
  std::vector<double> seconds;  // of each timed step
  double flops = 0;             // of a step, mean
  double ceiling_rate = 0;      // FLOP/s of its matrix products alone
  std::size_t memory_bytes = 0, taken_bytes = 0;
};

// `round` advances the step count, and with it all that is drawn.
Turn training_turn(const Variant& variant, const SpeedupOptions& options, Backend& backend,
                   int round);
Turn inference_turn(const Variant& variant, const SpeedupOptions& options, Backend& backend);

}  // namespace edt
