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
  VaeOptions sample_vae;    // that decodes sample grids; without a path: as the data set can
  double sample_share = 1;  // of the time, that sample grids may take

  void declare(OptionSet& options);
};

}  // namespace edt
