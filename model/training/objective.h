// The training objective on one micro-batch: noising, the full and the masked pass, their backward.
#pragma once

#include <span>
#include <vector>

#include "core/ops/backend.h"
#include "model/diffusion/schedule.h"
#include "model/training/draws.h"

namespace edt {

struct ObjectiveConfig {
  bool masked = true;         // add the masked pass, weight 1:1 (EDT, section 3.3)
  bool shared_noise = false;  // one draw of noise and label dropout for both passes: what precedes
                              // the first mask is computed once
  double snr_gamma = 5;       // Min-SNR weighting (Hang et al., arXiv 2303.09556); 0: none
};

// Host memory of B samples.
struct MicroBatch {
  std::span<const float> latents;           // [B, C, S, S]
  std::span<const std::int32_t> labels;     // [B]
  std::span<const std::int32_t> positions;  // [B], place in the global batch: keys every draw
  std::span<const std::int32_t> timesteps;  // [B]
  std::span<const float> weights;           // [B], importance weights of the timestep sampler
};

// Per-sample terms of one pass, on the host.
struct PassLosses {
  std::vector<float> mse, vb;
};

class Objective {
 public:
  // `batch` samples per call; buffers are allocated once, here.
  Objective(Model& model, Backend& backend, const DiffusionSchedule& schedule,
            const ObjectiveConfig& config, std::int64_t batch);

  // Adds nothing to gradients it did not compute: parameters are overwritten by their first
  // contribution. The gradient is of scale * (mean(w * full) + mean(w * masked)).
  void run(Tape& tape, StepKey key, const MicroBatch& batch, double scale);

  bool masked() const { return config_.masked; }
  const PassLosses& full() const { return full_; }
  const PassLosses& masked_losses() const { return masked_; }

 private:
  struct Pass {
    random::Purpose noise, label_drop;
    PassLosses* losses;
  };

  Tensor buffer(const Shape& shape, DType dtype = DType::kFloat32);
  void load(const MicroBatch& batch);
  void draw_noise(StepKey key, const MicroBatch& batch, const Pass& pass);
  void load_masks(StepKey key, const MicroBatch& batch);
  ModelInputs model_inputs() const { return {x_t_, t_, dropped_labels_}; }
  // Runs finish() and the loss on `state` and walks back to `mark`.
  void backward_pass(Tape& tape, const ForwardState& state, const std::vector<Tensor>& masks,
                     const Pass& pass, double scale, std::size_t mark);
  void run_separate(Tape& tape, StepKey key, const MicroBatch& batch, double scale);
  void run_shared(Tape& tape, StepKey key, const MicroBatch& batch, double scale);
  void fetch(PassLosses& losses);

  Model& model_;
  Backend& backend_;
  const DiffusionSchedule& schedule_;
  ObjectiveConfig config_;
  std::int64_t batch_;
  std::vector<Block> memory_;
  Tensor x_start_, noise_, x_t_, t_, dropped_labels_, positions_, weights_, scales_, coefficients_,
      mse_, vb_;
  std::vector<Tensor> masks_;
  std::vector<float> staging_;
  std::vector<std::int32_t> label_staging_;
  std::vector<std::vector<float>> mask_staging_;
  PassLosses full_, masked_;
};

}  // namespace edt
