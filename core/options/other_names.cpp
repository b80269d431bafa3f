#include "core/options/other_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace edt {

std::span<const std::pair<std::string_view, std::string_view>> other_names() {
  using Names = std::pair<std::string_view, std::string_view>;
  static constexpr std::array kNames{
      Names{"batch-size", "train.batch"},
      Names{"global-batch-size", "train.batch"},
      Names{"train-batch-size", "train.batch"},
      Names{"per-proc-batch-size", "batch"},
      Names{"bf16", "run.dtype"},
      Names{"fp16", "run.dtype"},
      Names{"mixed-precision", "run.dtype"},
      Names{"bf16", "dtype"},
      Names{"fp16", "dtype"},
      Names{"mixed-precision", "dtype"},
      Names{"checkpointing-steps", "run.checkpoint-every"},
      Names{"ckpt-every", "run.checkpoint-every"},
      Names{"ckpt", "checkpoint"},
      Names{"class-labels", "classes"},
      Names{"clip-grad", "train.clip"},
      Names{"max-grad-norm", "train.clip"},
      Names{"epochs", "train.steps"},
      Names{"iterations", "train.steps"},
      Names{"max-train-steps", "train.steps"},
      Names{"num-train-epochs", "train.steps"},
      Names{"feature-path", "data.path"},
      Names{"train-data-dir", "data.path"},
      Names{"global-seed", "train.seed"},
      Names{"global-seed", "seed"},
      Names{"gradient-accumulation-steps", "train.micro-batch"},
      Names{"gradient-checkpointing", "train.recompute"},
      Names{"guidance", "cfg-scale"},
      Names{"guidance-scale", "cfg-scale"},
      Names{"learning-rate", "optimizer.lr"},
      Names{"lr-scheduler", "optimizer.schedule"},
      Names{"lr-warmup-steps", "optimizer.warmup-steps"},
      Names{"num-classes", "model.classes"},
      Names{"num-classes", "classes"},
      Names{"num-fid-samples", "images"},
      Names{"num-samples", "images"},
      Names{"num-inference-steps", "run.sample-steps"},
      Names{"num-sampling-steps", "run.sample-steps"},
      Names{"num-inference-steps", "steps"},
      Names{"num-sampling-steps", "steps"},
      Names{"num-workers", "data.prefetch"},
      Names{"output", "out"},
      Names{"output-dir", "run.dir"},
      Names{"results-dir", "run.dir"},
      Names{"output-dir", "out-dir"},
      Names{"sample-dir", "out-dir"},
      Names{"resolution", "model.image-size"},
      Names{"resume-from-checkpoint", "run.resume"},
      Names{"scheduler", "sampler"},
  };
  return kNames;
}

std::string name_here(std::string_view name, std::span<const std::string> known) {
  for (const auto& [other, here] : other_names()) {
    if (other == name && std::ranges::find(known, here) != known.end()) {
      return fmt::format("; here it is --{}", here);
    }
  }
  return "";
}

}  // namespace edt
