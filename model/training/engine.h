// One optimizer step at a time: draws timesteps, runs micro-batches, reduces their gradients in
// tree order, clips, updates weights and moving average. Knows nothing of files or terminals.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/optim/optimizer.h"
#include "core/optim/schedule.h"
#include "model/diffusion/timestep_sampler.h"
#include "model/training/objective.h"
#include "parallel/communicator.h"
#include "parallel/flat_buffers.h"
#include "parallel/tree_accumulate.h"

namespace edt {

struct EngineConfig {
  DType dtype = DType::kFloat32;
  std::int64_t batch = 256;       // images per step over all ranks
  std::int64_t micro_batch = 32;  // images per unit of work; batch / micro_batch is a power of two
  ObjectiveConfig objective;
  Recompute recompute = Recompute::kNone;
  bool loss_second_moment = true;  // timestep sampler; false: uniform
  OptimizerConfig optimizer = AdanConfig{};
  LearningRateConfig rate;
  double ema_decay = 0.9999;
  double clip = 0;  // largest gradient norm; 0: none
  std::uint64_t seed = 0;
};

// What one step did. Losses are means over the global batch of importance weight * (mse + vb).
struct StepReport {
  std::int64_t step = 0;  // number of the step that was taken, from 1
  double loss = 0;
  std::optional<double> masked_loss;
  double mse = 0, vb = 0;  // unweighted means of the full pass
  double grad_norm = 0;
  double learning_rate = 0;
  // Set when loss or gradient was not finite: which, and nothing was updated.
  std::string non_finite;
  double compute_seconds = 0, communication_seconds = 0, optimizer_seconds = 0;
};

class TrainingEngine {
 public:
  TrainingEngine(Model& model, Backend& backend, Communicator& communicator,
                 const EngineConfig& config);

  // Fresh weights from the seed; the moving average starts as a copy.
  void initialize();

  // One step: begin(), then run() for micro-batches 0, 1, ... in order, then finish().
  void begin_step();
  void run_micro_batch(std::int64_t index, std::span<const float> latents,
                       std::span<const std::int32_t> labels);
  StepReport finish_step();

  std::int64_t micro_batches() const { return config_.batch / config_.micro_batch; }
  // Completed steps.
  std::int64_t step() const { return step_; }
  std::int64_t samples_seen() const { return step_ * config_.batch; }

  // State, for checkpoints. After writing to the buffers call restored().
  const FlatLayout& layout() const { return layout_; }
  FlatBuffers& buffers() { return buffers_; }
  TimestepSampler& timestep_sampler() { return *sampler_; }
  const Optimizer& optimizer() const { return *optimizer_; }
  void restored(std::int64_t step);

  Tape& tape() { return tape_; }
  Profiler& profiler() { return profiler_; }
  // Memory in use by category: weights, gradients, optimizer, moving average, activations.
  std::vector<MemoryUse> memory() const;

 private:
  StepKey key() const { return {config_.seed, static_cast<std::uint32_t>(step_)}; }
  void reduce_losses(StepReport& report);
  // Name of the first loss or tensor that is not finite; empty when all is well.
  std::string find_non_finite(const StepReport& report);
  void update(double clip_scale, double rate);

  Model& model_;
  Communicator& communicator_;
  EngineConfig config_;
  std::vector<Parameter*> parameters_;
  FlatLayout layout_;
  std::unique_ptr<Optimizer> optimizer_;
  FlatBuffers buffers_;
  TreeAccumulator gradients_;
  DiffusionSchedule schedule_;
  std::unique_ptr<TimestepSampler> sampler_;
  Profiler profiler_;
  Arena arena_;
  Tape tape_;
  Objective objective_;
  std::int64_t step_ = 0;

  // Of the global batch, by position.
  std::vector<std::int32_t> positions_, timesteps_;
  std::vector<float> weights_;
  std::vector<float> mse_, vb_, masked_mse_, masked_vb_;
  std::vector<double> norm_sums_;
  double compute_seconds_ = 0;
};

}  // namespace edt
