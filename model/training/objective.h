// The training objective on one micro-batch: noising, forward, loss, backward. The full and the
// masked pass are the two halves of one batch of 2 B rows, so every weight is gathered once and
// every gradient is final after one walk back.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "core/ops/backend.h"
#include "model/training/denoising_loss.h"
#include "model/training/input_buffers.h"
#include "model/training/mask_buffers.h"

namespace edt {

struct ObjectiveConfig {
  bool masked = true;         // add the masked pass, weight 1:1 (EDT, section 3.3)
  bool shared_noise = false;  // one draw of noise and label dropout for both passes: what precedes
                              // the first mask is computed once (EDT)
  DenoisingLossConfig loss = {};
  bool judges = false;  // forward alone: nothing is drawn but noise, which is not that of training
};

// Host memory of B samples.
struct MicroBatch {
  std::span<const float> latents;           // [B, C, S, S]
  std::span<const std::int32_t> labels;     // [B]
  std::span<const std::int32_t> positions;  // [B], place in the global batch: keys every draw
  std::span<const double> times;            // [B], of the process
  std::span<const float> weights;           // [B], importance weights of the time sampler
};

class Objective {
 public:
  // `batch` samples per call; buffers are allocated once, here.
  Objective(Model& model, Backend& backend, const ObjectiveConfig& config, std::int64_t batch);

  // Brings the samples and what is drawn for them to the device, for the next run().
  void prepare(StepKey key, const MicroBatch& batch);

  // Forward and backward. Adds nothing to gradients it did not compute: parameters are overwritten
  // by their first contribution. The gradient is of scale * (mean(w * full) + mean(w * masked)).
  // `losses`, float32 [terms, rows()] on the device, receives the terms of each row: those of the
  // full pass, then those of the masked one. Returns before the device has done its work.
  // `before_backward` is called between the two. What the device is asked for does not depend on
  // the samples, but for models that drop tokens: a draw of their number.
  void run(Tape& tape, double scale, const Tensor& losses,
           const std::function<void()>& before_backward = {});

  // Of an objective that judges: the losses alone, and nothing is recorded.
  void judge(Tape& tape, const Tensor& losses);

  bool masked() const { return config_.masked; }
  const std::vector<LossTerm>& terms() const { return loss_->terms(); }
  // Samples of all passes.
  std::int64_t rows() const { return passes() * batch_; }

 private:
  // The rows of one pass: its own draws of noise and label dropout, or those of the full pass.
  struct Pass {
    random::Purpose noise, label_drop;
  };
  std::int64_t passes() const { return config_.masked ? 2 : 1; }
  Pass pass(std::int64_t index) const;

  Tensor buffer(const Shape& shape);
  void fill_inputs(StepKey key, const MicroBatch& batch);
  void fill_times(std::span<const double> times, std::span<float> told,
                  std::span<float> scales) const;
  void noise_images(StepKey key);
  Var forward(Tape& tape);

  Model& model_;
  Backend& backend_;
  ObjectiveConfig config_;
  std::int64_t batch_;
  std::vector<Block> memory_;
  InputBuffers inputs_;
  // Of all rows, filled by the host; of the batch: positions.
  struct {
    std::size_t x_start, t, labels, positions, weights, scales;
  } in_;
  std::unique_ptr<DenoisingLoss> loss_;
  Tensor noise_, x_t_;
  std::optional<MaskBuffers> masks_;
};

}  // namespace edt
