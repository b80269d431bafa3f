// Options that say which step is run, for the commands that run one on synthetic inputs.
#pragma once

#include <string_view>

#include "launcher/bench/step_bench.h"
#include "launcher/options/options.h"

namespace edt {

// Of any pass through a model.
void declare_pass(OptionSet& options, StepBenchOptions& step);
// Of a training step, beside declare_pass().
void declare_training(OptionSet& options, StepBenchOptions& step);

// Throws UsageError for a training step that cannot be. The model is known.
void check_training(std::string_view command, const StepBenchOptions& step);

}  // namespace edt
