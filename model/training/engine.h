// One optimizer step at a time over all ranks: draws timesteps, runs this rank's micro-batches,
// clips, updates weights and moving average. What a step computes does not depend on how many data
// ranks there are. Knows nothing of files or terminals.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/optim/optimizer.h"
#include "core/optim/schedule.h"
#include "model/diffusion/time_sampler.h"
#include "model/training/micro_batch_graphs.h"
#include "model/training/objective.h"
#include "model/training/validation_loss.h"
#include "parallel/comm/communicator.h"
#include "parallel/zero/zero.h"

namespace edt {

struct StepReport;

struct EngineConfig {
  DType dtype = DType::kFloat32;
  std::int64_t batch = 256;       // images per step over all ranks
  std::int64_t micro_batch = 32;  // images per unit of work, which the data ranks share evenly
  ObjectiveConfig objective;
  Recompute recompute = Recompute::kNone;
  TimeLaw times;
  OptimizerConfig optimizer = AdanConfig{};
  LearningRateConfig rate;
  double ema_decay = 0.9999;
  std::vector<double> power_averages;  // their lengths; empty: none are kept
  double clip = 0;                     // largest gradient norm; 0: none
  ZeroConfig zero;
  // Forward and backward as graphs, on devices that have them. Models that drop tokens, stage 3 and
  // several tensor ranks go without.
  bool graphs = true;
  std::uint64_t seed = 0;
  // Sees losses and gradient norm before the update; a reason rejects the step. The same on all
  // ranks.
  std::function<std::string(const StepReport&)> judge = [](const StepReport&) {
    return std::string();
  };
  // Told of each part of a step as it begins: "forward", "backward" (or "graph" for both),
  // "collective", "optimizer".
  std::function<void(std::string_view)> on_phase = [](std::string_view) {};
};

// What one step did. Losses are means over the global batch of importance weight * the weighted sum
// of the terms of denoising.
struct StepReport {
  std::int64_t step = 0;  // number of the step that was taken, from 1
  double loss = 0;
  std::optional<double> masked_loss;
  std::vector<std::pair<std::string, double>> terms;   // by name, unweighted means of the full pass
  std::vector<std::pair<std::string, double>> beside;  // the same of companions
  double grad_norm = 0;
  double learning_rate = 0;
  // Set when loss or gradient was not finite: which, and nothing was updated.
  std::string non_finite;
  // Set when EngineConfig::judge has rejected the step: why, and nothing was updated.
  std::string rejected;
  // Of this rank. Communication is what computing waited for; more of it went on meanwhile.
  double compute_seconds = 0, communication_seconds = 0, optimizer_seconds = 0;
  double hidden_communication_seconds = 0;
};

class TrainingEngine {
 public:
  // `data_ranks` hold the same part of the model; the tensor ranks are those of the model.
  // `companions` train beside the denoising loss, and outlive the engine; their parameters are
  // among the model's.
  TrainingEngine(Model& model, Backend& backend, Communicator& data_ranks,
                 const EngineConfig& config, Companions companions = {});

  // Fresh weights from the seed; the moving average starts as a copy.
  void initialize();

  // One step: begin_step(), run_micro_batch() for each of own_micro_batches() in their order, then
  // finish_step(). All ranks take part.
  void begin_step();
  // `arrays`: of the same samples what arrays() asks for.
  void run_micro_batch(std::int64_t index, std::span<const float> latents,
                       std::span<const std::int32_t> labels,
                       std::span<const std::span<const float>> arrays = {});
  StepReport finish_step();
  // For dry runs, which need one of many that are alike: the next of own_micro_batches() to run
  // is the one at `index`.
  void go_on_at(std::size_t index) { done_ = index; }

  // Of the global batch, and those of them that this rank computes.
  std::int64_t micro_batches() const { return config_.batch / config_.micro_batch; }
  const std::vector<std::int64_t>& own_micro_batches() const { return zero_.micro_batches(); }
  // What network and companions want of each sample beside the latent.
  std::vector<ArrayRequest> arrays() const { return objective_.arrays(); }
  // What stands for a text that is dropped, before the first step: as ConditionBuffers has it.
  void set_null_text(std::vector<float> features) { objective_.set_null_text(std::move(features)); }
  // Of given samples at given times, at most micro_batch of them, by the weights of now. Between
  // steps, on all data ranks as often.
  std::vector<double> validate(const ValidationRows& rows);

  // Completed steps.
  std::int64_t step() const { return step_; }
  // The place in the data: samples before it are used up. A count, not a product of steps, so that
  // a run goes on there with another batch, too.
  std::int64_t samples_seen() const { return samples_seen_; }
  // Leaves out the samples up to `place`, such as those that made a run diverge.
  void skip_samples_to(std::int64_t place) { samples_seen_ = place; }

  // State of this rank, for checkpoints. After writing to it call restored().
  const FlatLayout& layout() const { return zero_.layout(); }
  FlatState& state() { return zero_.state(); }
  // The part of it that this rank saves.
  const FlatShard& own_shard() const { return zero_.own_shard(); }
  // The whole moving average in the layout, on all ranks, which all call it.
  std::vector<float> gather_moving_average() { return zero_.gather(zero_.state().ema()); }
  TimeSampler& time_sampler() { return *sampler_; }
  // Those that have learnt something beside their parameters have a state, too.
  Companions companions() const { return objective_.companions(); }
  const Optimizer& optimizer() const { return *optimizer_; }
  void restored(std::int64_t step, std::int64_t samples_seen);

  Tape& tape() { return tape_; }
  Profiler& profiler() { return profiler_; }
  // Memory in use by category: weights, gradients, optimizer, moving average, activations.
  std::vector<MemoryUse> memory() const;

 private:
  void attach_teacher(Companions companions);
  // Of the second groups of tokens; nothing where there are none.
  std::span<const double> second_times(std::size_t first, std::size_t size) const;
  void compute_micro_batch(int index);
  StepKey key() const { return {config_.seed, static_cast<std::uint32_t>(step_)}; }
  // This rank's losses from the device to their places in the global batch.
  void fetch_losses();
  void fetch_statistics();
  void learn();
  void update(StepReport& report);
  void reduce_losses(StepReport& report);
  double reduce_grad_norm();
  // Name of the first loss or tensor that is not finite, the same on all ranks; empty when all is
  // well.
  std::string find_non_finite(const StepReport& report);

  Model& model_;
  Backend& backend_;
  Communicator& data_ranks_;
  TensorGroup tensor_ranks_;
  EngineConfig config_;
  std::unique_ptr<Optimizer> optimizer_;
  Zero zero_;
  std::unique_ptr<TimeSampler> sampler_;
  Profiler profiler_;
  Arena arena_;
  Tape tape_;
  Objective objective_;
  std::unique_ptr<ValidationLoss> validation_;  // from its first use on
  MicroBatchGraphs graphs_;
  bool graphs_apply_;
  std::int64_t step_ = 0, samples_seen_ = 0;

  // Of the global batch, by position; losses of other ranks arrive at the end of the step.
  std::vector<std::int32_t> positions_;
  std::vector<double> times_;
  std::vector<float> weights_;
  enum PassKind : std::size_t { kFull, kSecond, kPasses };  // masked or complete
  std::vector<float> losses_;                               // [kPasses, terms, batch]
  Block device_losses_;                                     // of each own micro-batch [terms, rows]
  Block losses_of_one_;  // [terms, rows], where every micro-batch leaves them
  std::size_t terms() const { return objective_.terms().size(); }
  // Of companions: of each own micro-batch on the device, and of the global batch.
  Block device_statistics_;
  std::vector<float> statistics_;
  Tensor own_statistics() const;
  Tensor own_losses() const;
  Tensor losses_of_one() const;
  std::span<float> losses(PassKind pass, std::size_t term);
  // Mean over the global batch, in its order, of weight * sum of the weighted terms of denoising.
  double weighted_loss(PassKind pass);
  std::vector<float> total_losses();
  std::vector<ElementRange> copies_;  // in the layout: counted by another tensor rank
  std::vector<double> norm_sums_;
  std::size_t done_ = 0;  // own micro-batches of this step
  double compute_seconds_ = 0;
};

}  // namespace edt
