#include "launcher/commands/step_options.h"

#include <bit>

namespace edt {

void declare_pass(OptionSet& options, StepBenchOptions& step) {
  options.add("micro-batch", &step.micro_batch, "images of one unit of work").range(1, 65536);
  options.add("dtype", &step.dtype, {{"float32", DType::kFloat32}, {"bf16", DType::kBFloat16}},
              "type of matrix inputs and activations");
}

void declare_training(OptionSet& options, StepBenchOptions& step) {
  options.add("accumulate", &step.accumulate, "micro-batches of one step on each data rank")
      .range(1, 1 << 20);
  options.add("memory-check", &step.memory_check,
              "refuse what does not fit in the free memory before it begins");
  options.add("masked", &step.masked, "with the masked pass");
  options.add("shared-noise", &step.shared_noise, "one draw of noise for both passes")
      .used_when("masked", {"on"});
  options.add("recompute", &step.recompute,
              {{"none", Recompute::kNone},
               {"selective", Recompute::kSelective},
               {"full", Recompute::kFull}},
              "activations run twice to save memory");
}

void check_training(std::string_view command, const StepBenchOptions& step) {
  require<UsageError>(!step.masked || step.model.has_masked_pass(), command,
                      "--masked is on, but {} has no masked pass: turn it off", step.model.name());
  require<UsageError>(std::has_single_bit(static_cast<std::uint64_t>(step.accumulate)), command,
                      "--accumulate is {}, a power of two is needed", step.accumulate);
}

}  // namespace edt
