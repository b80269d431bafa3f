// Everything a training run can be told, and its option names.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/dtype.h"
#include "core/optim/optimizer.h"
#include "core/optim/schedule.h"
#include "launcher/device/device_options.h"
#include "launcher/options/options.h"
#include "model/presets/model_config.h"
#include "parallel/zero/zero_config.h"

namespace edt {

// A preset and what to change of it.
struct ModelOptions {
  std::string preset = "EDT-S/2";
  std::int64_t image_size = 256;  // pixels; latents are an eighth of it
  std::optional<std::int64_t> classes, patch;
  std::optional<std::vector<std::int64_t>> depths, widths, heads, amm_blocks;
  std::optional<bool> mid_mask;
  std::optional<float> label_dropout;
  std::optional<std::vector<float>> first_down_mask, later_down_mask, mid_mask_range, mask_ratio;

  void declare(OptionSet& options);
  // The validated model; `data_classes` stands in where the number of classes is not given.
  ModelConfig resolve(std::int64_t data_classes) const;

 private:
  void apply(EdtConfig& config) const;
  void apply(Mdtv2Config& config) const;
  void apply(DitConfig& config) const;
  void refuse_edt_options(const std::string& model) const;
};

enum class SampleOrder { kGlobal, kShardLocal };

struct DataOptions {
  std::filesystem::path path;
  SampleOrder order = SampleOrder::kGlobal;
  std::int64_t window = 4096;
  bool flip = true;
  bool normalize = false;
  bool verify = true;
  std::int64_t prefetch = 4;
  std::int64_t cache = 256;  // MiB

  void declare(OptionSet& options);
};

enum class TimestepSampling { kUniform, kLossSecondMoment };
enum class OnNonFinite { kStop, kSkip, kGoBack };
enum class OnSpike { kLog, kSkip, kGoBack };

struct TrainOptions {
  std::int64_t steps = 400000;
  std::int64_t batch = 256;
  std::int64_t micro_batch = 0;  // 0: to be chosen (micro_batch.h)
  bool masked = true;
  bool shared_noise = false;
  double snr_gamma = 5;
  TimestepSampling timesteps = TimestepSampling::kLossSecondMoment;
  Recompute recompute = Recompute::kNone;
  double clip = 0;
  OnNonFinite on_non_finite = OnNonFinite::kStop;
  double spike_threshold = 0;
  std::int64_t spike_window = 200;
  OnSpike on_spike = OnSpike::kLog;
  std::uint64_t seed = 0;

  void declare(OptionSet& options);
};

enum class OnDamage { kStop, kStartAnew };
enum class Profile { kNone, kTrace };
enum class OptimizerKind { kAdan, kAdamW };

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kAdan;
  std::optional<std::vector<double>> betas;
  double eps = 1e-8;
  double weight_decay = 0;
  bool no_prox = false;
  double ema_decay = 0.9999;
  LearningRateConfig rate{.kind = ScheduleKind::kLinear,
                          .initial = 1e-3,
                          .final = 5e-5,
                          .decay_steps = 400000,
                          .warmup_steps = 0};

  void declare(OptionSet& options);
  OptimizerConfig resolve() const;
};

struct RunOptions {
  std::filesystem::path directory;
  DeviceOptions device;
  bool cuda_graphs = true;
  DType dtype = DType::kFloat32;
  bool resume = true;
  bool accept_changes = false;
  OnDamage on_damage = OnDamage::kStop;
  std::int64_t log_every = 10;
  std::int64_t checkpoint_every = 1000;
  std::int64_t keep_checkpoints = 3, keep_every = 0, keep_best = 0;
  bool wait_for_checkpoint = false;
  double start_timeout = 1800, timeout = 300;  // seconds; 0: never
  std::filesystem::path prometheus;            // empty: none is written
  std::int64_t straggler_every = 100;
  bool requeue_stalled = true;  // the status that a job ends with when a rank stalls
  bool memory_check = true;
  bool tensorboard = true;
  Profile profile = Profile::kNone;
  std::string profile_steps = "2..4";
  std::int64_t sample_every = 0;
  std::int64_t sample_steps = 50;
  std::int64_t sample_images = 10;
  double sample_guidance = 4;

  void declare(OptionSet& options);
};

// How the ranks of a job share the work.
struct ParallelOptions {
  int tensor = 1;  // ranks that hold one model together
  ZeroStage zero = ZeroStage::kOptimizer;
  bool overlap = true;
  std::int64_t bucket_mib = 8;
  int gather_ahead = 2;
  Wire gradient_wire = Wire::kExact;

  void declare(OptionSet& options);
  ZeroConfig resolve() const;
};

struct TrainConfig {
  ModelOptions model;
  DataOptions data;
  TrainOptions train;
  OptimizerOptions optimizer;
  ParallelOptions parallel;
  RunOptions run;

  void declare(OptionSet& options);
  // Checks across sections; throws UsageError.
  void validate() const;
  // Whether the recipe is one for this model; throws UsageError.
  void check_recipe(const ModelConfig& model) const;
};

}  // namespace edt
