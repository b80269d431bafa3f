// A training run small enough for a test: a tiny model on random latents.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "launcher/train/trainer.h"
#include "parallel/checkpoint/checkpoint.h"
#include "tests/support/run_metrics.h"

namespace edt::test {

// 48 samples of [4, 16, 16] in 5 classes, two shards; scale 0.5, no decoder where none is asked
// for.
void write_tiny_data(const std::filesystem::path& directory, std::uint64_t samples = 48,
                     bool with_decoder = false);

// Random latents of any shape, of pictures of `factor` pixels for each; 16 samples in 5 classes.
struct TinyLatents {
  int channels = 4, height = 16, width = 16, factor = 8;
  bool with_statistics = false;  // of each channel: mean = its number, deviation 2
};
void write_tiny_data(const std::filesystem::path& directory, const TinyLatents& shape);

// Two micro-batches of 4 images; both passes; clipping.
TrainConfig tiny_config(const std::filesystem::path& data, const std::filesystem::path& run);

// The same with a tiny model of the kind "EDT", "MDTv2" or "DiT" and its way of training.
TrainConfig tiny_config(const std::filesystem::path& data, const std::filesystem::path& run,
                        const std::string& kind);

// Two steps of two images on GPUs; small enough for emulated ones, with heads for two tensor ranks.
TrainConfig tiny_gpu_config(const std::filesystem::path& data, const std::filesystem::path& run);

// Runs to config.train.steps: on all ranks of `world`, or on this one alone.
int run(const TrainConfig& config, Communicator& world);
int run(const TrainConfig& config);

// Every array of the newest checkpoint, and the extra arrays, by name.
std::map<std::string, std::vector<double>> contents(const std::filesystem::path& run);

}  // namespace edt::test
