// The training objective on one micro-batch: noising, forward, losses, backward. The full and the
// masked pass are the two halves of one batch of 2 B rows, so every weight is gathered once and
// every gradient is final after one walk back.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "core/ops/backend.h"
#include "model/training/auxiliary_loss.h"
#include "model/training/condition_buffers.h"
#include "model/training/denoising_loss.h"
#include "model/training/group_buffers.h"
#include "model/training/input_buffers.h"
#include "model/training/mask_buffers.h"
#include "model/training/micro_batch.h"

namespace edt {

struct ObjectiveConfig {
  bool masked = true;         // add the masked pass, weight 1:1 (EDT, section 3.3)
  bool shared_noise = false;  // one draw of noise and label dropout for both passes: what precedes
                              // the first mask is computed once (EDT)
  DenoisingLossConfig loss = {};
  // Share of the tokens that are in the first of two groups, each with a time of its own, which do
  // not see each other; 0: no groups.
  double dual_time = 0;
  // Steps in which a second pass goes through the complete network, where the full one has gates:
  // the same noise and times, and label dropout of its own (DyDiT). The masked pass is complete in
  // any case.
  std::int64_t complete_steps = 0;
  bool judges = false;  // forward alone: nothing is drawn but noise, which is not that of training
};

class Objective {
 public:
  // `batch` samples per call; buffers are allocated once, here. `companions` train beside and
  // outlive it.
  Objective(Model& model, Backend& backend, const ObjectiveConfig& config, std::int64_t batch,
            Companions companions = {});

  // Before those of a step's micro-batches; all of a run's first step are there until then. True
  // where passes have ended: what the device is asked for is not what it was.
  bool begin_step(std::int64_t step);

  // Brings the samples and what is drawn for them to the device, for the next run().
  void prepare(StepKey key, const MicroBatch& batch);

  // Forward and backward. Adds nothing to gradients it did not compute: parameters are overwritten
  // by their first contribution. The gradient is of scale * (mean(w * full) + mean(w * masked)),
  // and of scale * the weighted means of companions.
  // `losses`, float32 [terms, rows()] on the device, receives the terms of each row: those of the
  // full pass, then those of the masked one, which companions may leave as they are. Returns before
  // the device has done its work. `before_backward` is called between the two. What the device is
  // asked for does not depend on the samples, but for models that drop tokens: a draw of their
  // number.
  void run(Tape& tape, double scale, const Tensor& losses,
           const std::function<void()>& before_backward = {});

  // Of an objective that judges: the losses alone, and nothing is recorded.
  void judge(Tape& tape, const Tensor& losses);

  bool masked() const { return config_.masked; }
  // Whether the rows behind the first batch are those of the complete network, in this step.
  bool has_complete_pass() const { return !masked() && !grouped() && passes_ > 1; }
  // Whether the rows behind the first batch are those of its second group.
  bool grouped() const { return groups_.has_value(); }
  // What network and companions want of each sample beside the latent: MicroBatch::arrays.
  std::vector<ArrayRequest> arrays() const;
  // As ConditionBuffers has it.
  void set_null_text(std::vector<float> features) {
    conditions_->set_null_text(std::move(features));
  }
  Companions companions() const { return companions_; }
  // What companions leave of a micro-batch for all ranks, float32 on the device: those of run().
  const Tensor& statistics() const { return statistics_; }
  // Gives each companion its own, [micro-batches, all statistics].
  void learn(std::span<const float> statistics, std::int64_t micro_batches);
  // Of the networks that companions have for themselves.
  std::size_t teacher_bytes() const;
  // Those of denoising, then those beside.
  const std::vector<LossTerm>& terms() const { return terms_; }
  // Samples of all passes of this step.
  std::int64_t rows() const { return passes_ * batch_; }

 private:
  // The rows of one pass: its own draws of noise and label dropout, or those of the full pass.
  struct Pass {
    random::Purpose noise, label_drop;
  };
  // In a run's first step; inputs have room for them.
  std::int64_t most_passes() const {
    return config_.masked || config_.dual_time > 0 || config_.complete_steps > 0 ? 2 : 1;
  }
  Pass pass(std::int64_t index) const;

  Tensor buffer(const Shape& shape);
  void fill_inputs(StepKey key, const MicroBatch& batch);
  void fill_companions(StepKey key, const MicroBatch& batch);
  void fill_times(std::span<const double> times, std::span<float> told,
                  std::span<float> scales) const;
  void noise_images(StepKey key);
  // The rows of this step's passes.
  Tensor of_rows(const Tensor& all) const { return all.slice(0, rows()); }
  NoisedImages images();
  // The first `rows` rows, as the network sees them.
  ModelInputs seen(std::int64_t rows);
  StepView view();
  Var forward(Tape& tape);
  struct Seeded {
    Var mean;           // [1], of a term
    std::int64_t rows;  // that it is over
    double weight;
  };
  std::vector<Seeded> means_of(Tape& tape, const Tensor& losses);
  // Of the terms of denoising of one group, then of the other.
  std::vector<Seeded> denoise_groups(Tape& tape, const Tensor& losses);

  Model& model_;
  Backend& backend_;
  ObjectiveConfig config_;
  std::int64_t batch_;
  std::int64_t passes_;
  std::vector<Block> memory_;
  InputBuffers inputs_;
  // Of all rows, filled by the host; of the batch: positions.
  struct {
    std::size_t x_start, t, labels, positions, weights, scales;
  } in_;
  std::unique_ptr<DenoisingLoss> loss_;
  std::vector<AuxiliaryLoss*> companions_;
  std::vector<LossTerm> terms_;
  Taps taps_;
  Tensor noise_, x_t_;
  Tensor statistics_{nullptr, {0}, DType::kFloat32};
  std::optional<ConditionBuffers> conditions_;
  std::optional<MaskBuffers> masks_;
  std::optional<GroupBuffers> groups_;
  std::vector<Teacher*> teachers_;
  GateRecord* gates_ = nullptr;
};

}  // namespace edt
