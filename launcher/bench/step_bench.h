// Times whole training steps, or sampler steps, against the machine's matrix-product ceiling. Steps
// and ceiling take turns, so that a machine that drifts does not favour either.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "launcher/sample/weights_type.h"
#include "model/autoencoder/autoencoder.h"
#include "model/families/model_config.h"
#include "model/recipe/training.h"
#include "parallel/sharding/mesh.h"

namespace edt {

struct StepBenchOptions {
  ModelConfig model = EdtConfig{};
  std::int64_t micro_batch = 32;
  std::int64_t accumulate = 1;  // micro-batches of one step on each data rank
  DType dtype = DType::kFloat32;
  bool masked = true;
  bool shared_noise = false;
  bool adamw = false;
  std::vector<double> power_averages;  // lengths of those that are kept
  AuxiliaryConfig auxiliary;           // what trains beside
  Recompute recompute = Recompute::kNone;
  ZeroConfig zero{.stage = ZeroStage::kOptimizer};
  int rounds = 5;
  int steps = 1;  // timed together in a round
  bool memory_check = true;
  std::string_view micro_batch_option = "--micro-batch";  // as messages name it
  bool graphs = true;                                     // where the device has them
  // Of sampling: steps of a picture, for what decoding adds to them, and bytes of the decoder.
  int sampler_steps = 50;
  std::size_t decoder_bytes = 0;
  std::string decoder;  // its name, empty: none
  WeightsTypeOptions weights_type;
};

// Medians over rounds; rates in GFLOP/s, of all ranks together. Times are those of the slowest
// rank.
struct StepBenchResult {
  double step_seconds = 0, fastest_seconds = 0, slowest_seconds = 0;
  std::int64_t images = 0;
  double images_per_second = 0;
  double gflop_per_image = 0;  // model FLOPs, recompute apart
  double recompute_gflop_per_image = 0;
  double achieved_gflops = 0;
  double ceiling_gflops = 0;
  double peak_gflops = 0;  // between registers alone; 0: not measured
  // Of sampling in host memory: what the products of a step read of weights, all of it once, and
  // what the memory gives in a second at most. 0: not known.
  double weight_bytes = 0, read_bytes_per_second = 0;
  DType ceiling_dtype = DType::kFloat32;
  double ceiling_ratio = 0;  // median over rounds of achieved / ceiling of the same round
  // Shares of the step on the first rank: communication that computing waited for, and the rest.
  double exposed_communication = 0, hidden_communication = 0;
  double imbalance = 1;  // time in forward and backward of the slowest rank over the mean
  std::size_t peak_memory_bytes = 0;  // largest of a rank; on a device, without CUDA's own
  std::string formula;
  // Of the step, largest first; empty where a device works behind the host.
  std::vector<std::pair<std::string, double>> time_share;
  std::vector<MemoryUse> memory;  // what the engine has asked for, on the first rank
  // What the operating system or the device gave since before the engine was there: to be compared
  // with it.
  std::size_t memory_growth_bytes = 0;
  // Of sampling with a decoder: seconds of decoding one picture, and what part that is of
  // `sampler_steps` steps of one, the median over rounds.
  double decode_seconds = 0, decode_share = 0;
};

// The part of the memory's rate at which the weights are read; above 1 where caches hold them.
inline double bandwidth_share(const StepBenchResult& result) {
  return result.weight_bytes / result.step_seconds / result.read_bytes_per_second;
}

// What these options say to the training engine, with the batch of one data rank.
TrainingRecipe step_recipe(const StepBenchOptions& options);

// All ranks of the mesh call it.
StepBenchResult bench_training_step(const StepBenchOptions& options, Backend& backend,
                                    const Mesh& mesh);

// One guided sampler step of `micro_batch` pictures: a forward pass of twice as many.
// All ranks of `world` call it, each for itself. With a decoder, that in turn with steps too.
StepBenchResult bench_sampler_step(const StepBenchOptions& options, Backend& backend,
                                   Communicator& world, Autoencoder* decoder = nullptr);

}  // namespace edt
