// Training and inference speed of EDT, MDTv2 and DiT on the same kernels: all of them in turn,
// round after round, so that a machine that drifts does not favour any; one model at a time in
// memory.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/ops/backend.h"
#include "core/optim/optimizer.h"
#include "launcher/machine/measuring.h"
#include "model/families/model_config.h"
#include "model/training/engine.h"

namespace edt {

// One model with its way of training.
struct Variant {
  std::string key;    // "EDT_shared_noise"
  std::string label;  // "EDT, shared noise"
  ModelConfig model;
  bool masked = true;
  bool shared_noise = false;
  OptimizerConfig optimizer = AdanConfig{};
  double clip = 0;
  double snr_gamma = 5;
  bool infers = true;  // takes part in the comparison of inference too
};

// EDT, EDT without the masked pass, EDT with shared noise, MDTv2 with ratios drawn and with a fixed
// one, DiT. `size` is "S", "B" or "XL"; each has the optimizer of its own recipe.
std::vector<Variant> published_variants(const std::string& size, std::int64_t image_size);

// Whose update rule: that of each recipe, or one for all, so that models alone differ.
enum class ContestOptimizer { kRecipe, kAdan, kAdamW };

struct SpeedupOptions {
  std::int64_t micro_batch = 8;
  std::int64_t accumulate = 1;  // micro-batches of a training step
  ContestOptimizer optimizer = ContestOptimizer::kRecipe;
  DType dtype = DType::kFloat32;
  int rounds = 5;
  int steps = 2;  // timed, in each turn; one more warms up, on a GPU two
  Recompute recompute = Recompute::kNone;
  std::filesystem::path shards;  // a data set; empty: latents in memory
  bool training = true, inference = true;
  BenchClock clock = BenchClock::kWall;
  bool graphs = true;  // where the device has them
};

// What one variant did over all rounds. Times are of a step of micro_batch x
// accumulate images; in inference of a guided sampler step of micro_batch pictures.
struct SpeedupResult {
  std::string key, label, model;
  std::vector<double> round_seconds;  // median of each round's steps
  double seconds = 0, fastest = 0, slowest = 0;
  double images_per_second = 0;
  double gflop_per_image = 0;  // counted while it ran: forward and backward
  double achieved_gflops = 0, ceiling_gflops = 0;
  double ceiling_share = 0;      // median over rounds of achieved / ceiling of the same turn
  std::size_t memory_bytes = 0;  // what engine or sampler asked for
  std::size_t taken_bytes = 0;
};

struct SpeedupTable {
  std::vector<SpeedupResult> results;
  const SpeedupResult* find(const std::string& key) const;
  // Speed of `key` over that of MDTv2: the median over rounds of the ratio within a round.
  double over_mdtv2(const std::string& key) const;
};

struct SizeSpeedup {
  std::string size;
  std::int64_t image_size = 256;
  SpeedupTable train, infer;
  // Multiply-accumulates of MDTv2 over those of EDT, from the models: a training step with the mean
  // over the ratios, and a forward pass.
  double train_flop_ratio = 0, infer_flop_ratio = 0;
};

// `report` is told what has been done, in one line.
using SpeedupProgress = std::function<void(const std::string& line)>;

SizeSpeedup run_speedup(const std::string& size, const std::vector<Variant>& variants,
                        const SpeedupOptions& options, Backend& backend,
                        const SpeedupProgress& report);

// Forward multiply-accumulates of one image in a training step, mean over the ratios drawn.
double mean_training_macs(const Variant& variant);

// How a variant trains.
EngineConfig engine_config(const Variant& variant, const SpeedupOptions& options);

// Bytes that a turn of the variant takes: of its training step, run dry, or of its weights
// where nothing is trained.
double turn_bytes(const Variant& variant, const SpeedupOptions& options);

}  // namespace edt
