#include "launcher/commands/step_options.h"

namespace edt {

void declare_dtype(OptionSet& options, DType& dtype) {
  options
      .add("dtype", &dtype, {{"float32", DType::kFloat32}, {"bf16", DType::kBFloat16}},
           "type of matrix inputs and activations")
      .alias("run.dtype");
}

void declare_recompute(OptionSet& options, Recompute& recompute) {
  options
      .add("recompute", &recompute,
           {{"least", Recompute::kLeast},
            {"none", Recompute::kNone},
            {"selective", Recompute::kSelective},
            {"full", Recompute::kFull}},
           "activations run twice to save memory")
      .alias("train.recompute");
}

void declare_graphs(OptionSet& options, bool& graphs) {
  options
      .add("cuda-graphs", &graphs,
           "launch forward and backward of a micro-batch as CUDA graphs, as run.cuda-graphs")
      .alias("run.cuda-graphs")
      .used_when("device", {"cuda"});
}

void declare_pass(OptionSet& options, StepBenchOptions& step) {
  options.add("micro-batch", &step.micro_batch, "images of one unit of work")
      .alias("train.micro-batch")
      .range(1, 65536);
  declare_dtype(options, step.dtype);
}

void declare_memory_check(OptionSet& options, bool& memory_check) {
  options
      .add("memory-check", &memory_check,
           "refuse what does not fit in the free memory before it begins")
      .alias("run.memory-check");
}

void declare_training(OptionSet& options, StepBenchOptions& step) {
  options.add("accumulate", &step.accumulate, "micro-batches of one step on each data rank")
      .range(1, 1 << 20);
  declare_memory_check(options, step.memory_check);
  options.add("masked", &step.masked, "with the masked pass").alias("train.masked");
  options.add("shared-noise", &step.shared_noise, "one draw of noise for both passes")
      .alias("train.shared-noise")
      .used_when("masked", {"on"});
  declare_recompute(options, step.recompute);
}

void check_training(std::string_view command, const StepBenchOptions& step) {
  require<UsageError>(!step.masked || step.model.passes().masked(), command,
                      "--masked is on, but {} has no masked pass: turn it off", step.model.name());
}

}  // namespace edt
