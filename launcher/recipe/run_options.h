// The section [run]: where a run lives, on what, and what it leaves behind.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/base/dtype.h"
#include "core/options/options.h"
#include "launcher/autoencoder/vae_options.h"
#include "launcher/device/device_options.h"

namespace edt {

enum class OnDamage { kStop, kStartAnew };
enum class Profile { kNone, kTrace };
// What the best checkpoints are the best by.
enum class BestBy { kLoss, kHeldOut, kEvaluation };

struct RunOptions {
  std::filesystem::path directory;
  DeviceOptions device;
  bool cuda_graphs = true;
  DType dtype = DType::kFloat32;
  bool resume = true;
  std::filesystem::path init_from;
  bool accept_changes = false;
  OnDamage on_damage = OnDamage::kStop;
  std::int64_t log_every = 10;
  std::int64_t checkpoint_every = 1000;
  std::int64_t keep_checkpoints = 3, keep_every = 0, keep_best = 0;
  BestBy keep_best_by = BestBy::kLoss;
  bool wait_for_checkpoint = false;
  std::int64_t snapshot_every = 0;  // of power-function averages; 0: with each checkpoint
  bool half_snapshots = true;       // float16
  double start_timeout = 1800, timeout = 300;  // seconds; 0: never
  std::filesystem::path prometheus;            // empty: none is written
  std::int64_t straggler_every = 100;
  bool requeue_stalled = true;  // the status that a job ends with when a rank stalls
  bool memory_check = true;
  bool tensorboard = true;
  Profile profile = Profile::kNone;
  std::string profile_steps = "2..4";
  std::string record_steps;   // empty: none are recorded
  std::string record_values;  // empty: none; "all", or the place of a call (core/record/record.h)
  std::int64_t sample_every = 0;
  std::int64_t sample_steps = 50;
  std::int64_t sample_images = 10;
  double sample_guidance = 4;
  std::int64_t holdout_every = 0, holdout_samples = 256;
  VaeOptions sample_vae;    // that decodes sample grids; without a path: as the data set can
  double sample_share = 1;  // of the time, that sample grids may take
  std::int64_t evaluate_every = 0, evaluate_samples = 1024, evaluate_steps = 50;
  double evaluate_guidance = 1;
  std::filesystem::path evaluate_inception, evaluate_reference;  // empty: latents are judged
  double evaluate_share = 1;  // of the time, that evaluation may take

  void declare(OptionSet& options);
  // Steps from one snapshot of averages to the next; 0: none are written.
  std::int64_t snapshot_steps() const {
    return snapshot_every > 0 ? snapshot_every : checkpoint_every;
  }

 private:
  void declare_records(OptionSet& options);
  void declare_evaluation(OptionSet& options);
};

}  // namespace edt
