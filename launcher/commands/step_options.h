// Options that say which step is run, for the commands that run one on synthetic inputs. They are
// known by the names that edt train has for them as well.
#pragma once

#include <string_view>

#include "core/options/options.h"
#include "launcher/bench/step_bench.h"

namespace edt {

void declare_dtype(OptionSet& options, DType& dtype);
void declare_recompute(OptionSet& options, Recompute& recompute);
// Beside the options of a device.
void declare_graphs(OptionSet& options, bool& graphs);
// Of any pass through a model.
void declare_pass(OptionSet& options, StepBenchOptions& step);
void declare_memory_check(OptionSet& options, bool& memory_check);
// Of a training step, beside declare_pass().
void declare_training(OptionSet& options, StepBenchOptions& step);

// Throws UsageError for a training step that cannot be. The model is known.
void check_training(std::string_view command, const StepBenchOptions& step);

}  // namespace edt
