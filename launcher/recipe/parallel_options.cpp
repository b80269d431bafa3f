#include "launcher/recipe/parallel_options.h"

#include "parallel/comm/shared_memory.h"

namespace edt {

void ParallelOptions::declare(OptionSet& options) {
  options.section("parallel", "Ranks");
  options
      .add("parallel.tensor", &tensor,
           "ranks that hold one model together; it must divide the heads of every stage")
      .range(1, 1024)
      .free_to_change();
  options
      .add("parallel.zero", &zero,
           {{"0", ZeroStage::kNone},
            {"1", ZeroStage::kOptimizer},
            {"2", ZeroStage::kGradients},
            {"3", ZeroStage::kWeights}},
           "what data ranks share: 0 nothing, 1 optimizer state, 2 and gradients, 3 and weights")
      .free_to_change();
  options
      .add(
          "parallel.shard-ranks", &shard_ranks,
          "neighbouring data ranks, as those of a node, that share it among them and hold the same "
          "as other such neighbours; 0: all")
      .range(0, 65536)
      .free_to_change()
      .used_when("parallel.zero", {"1", "2", "3"});
  options
      .add("parallel.share-weights", &share_weights,
           "ranks that share the state, all on one machine, have the weights that kernels read in "
           "common")
      .free_to_change()
      .used_when("parallel.zero", {"1", "2"});
  options.add("parallel.overlap", &overlap, "communicate while computing").free_to_change();
  options.add("parallel.bucket", &bucket_mib, "gradients that travel together")
      .unit("MiB")
      .range(1, 4096)
      .free_to_change()
      .used_when("parallel.zero", {"0", "1"});
  options
      .add("parallel.weight-prefetch", &weight_prefetch,
           "blocks whose weights are on their way before they are used")
      .range(0, 64)
      .free_to_change()
      .used_when("parallel.zero", {"3"});
  options.add(
      "parallel.reduce-dtype", &reduce_dtype,
      {{"float32", Wire::kExact}, {"bf16", Wire::kBFloat16}, {"int8", Wire::kInt8}},
      "type in which gradients travel; bf16 and int8 are outside the promise of equal bits");
  options
      .add("parallel.error-feedback", &error_feedback,
           "what that takes from a rank's gradient is added to its next one")
      .used_when("parallel.reduce-dtype", {"bf16", "int8"});
}

ZeroConfig ParallelOptions::resolve() const {
  const bool once = error_feedback && reduce_dtype == Wire::kBFloat16;
  constexpr std::int64_t kFloatsPerMib = (std::int64_t{1} << 20) / sizeof(float);
  ZeroConfig config{.stage = zero,
                    .overlap = overlap,
                    .reduce_dtype = once ? Wire::kBFloat16Once : reduce_dtype,
                    .error_feedback = error_feedback && reduce_dtype != Wire::kExact,
                    .shard_ranks = shard_ranks,
                    .bucket_elements = bucket_mib * kFloatsPerMib,
                    .prefetch = weight_prefetch};
  if (share_weights) config.shared_weights = make_shared_memory;
  return config;
}

}  // namespace edt
