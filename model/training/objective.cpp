#include "model/training/objective.h"

#include <algorithm>

namespace edt {
namespace {

template <class T>
Tensor host_view(std::span<T> values, const Shape& shape) {
  return view_of(values, shape);
}

// Device::copy only reads its source.
template <class T>
Tensor host_view(std::span<const T> values, const Shape& shape) {
  return view_of(std::span<T>(const_cast<T*>(values.data()), values.size()), shape);
}

}  // namespace

Objective::Objective(Model& model, Backend& backend, const DiffusionSchedule& schedule,
                     const ObjectiveConfig& config, std::int64_t batch)
    : model_(model), backend_(backend), schedule_(schedule), config_(config), batch_(batch) {
  require<UsageError>(!config.masked || !model.masks().empty(), "objective",
                      "a masked pass is asked for, but {} has no token masks", model.name());
  require<UsageError>(!config.shared_noise || config.masked, "objective",
                      "shared noise is asked for without the masked pass");
  const std::int64_t side = model.input_size();
  const Shape image{batch, model.channels(), side, side};
  x_start_ = buffer(image);
  noise_ = buffer(image);
  x_t_ = buffer(image);
  for (Tensor* vector : {&t_, &weights_, &mse_, &vb_}) *vector = buffer({batch});
  for (Tensor* ids : {&dropped_labels_, &positions_}) {
    *ids = buffer({batch}, DType::kInt32);
  }
  scales_ = buffer({batch, 2});
  coefficients_ = buffer({batch, LossCoefficient::kCount});
  for (const MaskSpec& mask : model.masks()) {
    masks_.push_back(buffer({batch, mask.tokens}));
    mask_staging_.emplace_back(static_cast<std::size_t>(batch * mask.tokens));
  }
  const auto samples = static_cast<std::size_t>(batch);
  staging_.resize(samples * LossCoefficient::kCount);
  label_staging_.resize(samples);
  for (PassLosses* losses : {&full_, &masked_}) {
    losses->mse.resize(samples);
    losses->vb.resize(samples);
  }
}

Tensor Objective::buffer(const Shape& shape, DType dtype) {
  Tensor tensor{nullptr, shape, dtype};
  tensor.data = memory_.emplace_back(backend_.memory(), tensor.bytes()).data();
  return tensor;
}

void Objective::run(Tape& tape, StepKey key, const MicroBatch& batch, double scale) {
  EDT_ASSERT(static_cast<std::int64_t>(batch.positions.size()) == batch_);
  load(batch);
  if (config_.shared_noise) {
    run_shared(tape, key, batch, scale);
  } else {
    run_separate(tape, key, batch, scale);
  }
}

void Objective::load(const MicroBatch& batch) {
  const auto samples = static_cast<std::size_t>(batch_);
  backend_.copy(host_view(batch.latents, x_start_.shape), x_start_);
  backend_.copy(host_view(batch.positions, {batch_}), positions_);
  backend_.copy(host_view(batch.weights, {batch_}), weights_);
  const std::span<float> staging(staging_);
  std::ranges::copy(batch.timesteps, staging.begin());
  backend_.copy(host_view(staging.first(samples), {batch_}), t_);
  schedule_.noise_scales(batch.timesteps, staging.first(2 * samples));
  backend_.copy(host_view(staging.first(2 * samples), scales_.shape), scales_);
  schedule_.loss_coefficients(batch.timesteps, config_.snr_gamma, staging);
  backend_.copy(host_view(staging, coefficients_.shape), coefficients_);
}

void Objective::draw_noise(StepKey key, const MicroBatch& batch, const Pass& pass) {
  backend_.random_normal({key.seed, pass.noise, key.step, 0}, positions_, noise_);
  backend_.add_noise(x_start_, noise_, scales_, x_t_);
  std::ranges::copy(batch.labels, label_staging_.begin());
  drop_labels(key, pass.label_drop, batch.positions, model_.label_dropout(),
              static_cast<std::int32_t>(model_.classes()), label_staging_);
  backend_.copy(host_view(std::span(label_staging_), {batch_}), dropped_labels_);
}

void Objective::load_masks(StepKey key, const MicroBatch& batch) {
  std::vector<std::span<float>> keep(mask_staging_.begin(), mask_staging_.end());
  draw_masks(key, model_.masks(), batch.positions, keep);
  for (std::size_t m = 0; m < masks_.size(); ++m) {
    backend_.copy(host_view(keep[m], masks_[m].shape), masks_[m]);
  }
}

void Objective::backward_pass(Tape& tape, const ForwardState& state,
                              const std::vector<Tensor>& masks, const Pass& pass, double scale,
                              std::size_t mark) {
  {
    const LossInputs inputs{x_start_, x_t_, noise_, coefficients_, weights_, model_.patch()};
    Var tokens = model_.finish(tape, state, masks);
    Var loss = diffusion_loss(tape, tokens, inputs, mse_, vb_);
    tokens = {};
    tape.backward(loss, scale, mark);
  }
  fetch(*pass.losses);
}

void Objective::run_separate(Tape& tape, StepKey key, const MicroBatch& batch, double scale) {
  tape.set_last_pass(!config_.masked);
  const Pass full{random::Purpose::kNoise, random::Purpose::kLabelDrop, &full_};
  draw_noise(key, batch, full);
  backward_pass(tape, model_.begin(tape, model_inputs()), {}, full, scale, 0);
  tape.clear();
  if (!config_.masked) return;

  tape.set_last_pass(true);
  const Pass masked{random::Purpose::kNoiseMasked, random::Purpose::kLabelDropMasked, &masked_};
  draw_noise(key, batch, masked);
  load_masks(key, batch);
  backward_pass(tape, model_.begin(tape, model_inputs()), masks_, masked, scale, 0);
  tape.clear();
}

void Objective::run_shared(Tape& tape, StepKey key, const MicroBatch& batch, double scale) {
  const Pass full{random::Purpose::kNoise, random::Purpose::kLabelDrop, &full_};
  const Pass masked{full.noise, full.label_drop, &masked_};
  draw_noise(key, batch, full);
  load_masks(key, batch);
  tape.set_last_pass(false);
  {
    const ForwardState state = model_.begin(tape, model_inputs());
    backward_pass(tape, state, {}, full, scale, tape.mark());
    tape.set_last_pass(true);
    backward_pass(tape, state, masks_, masked, scale, 0);
  }
  tape.clear();
}

void Objective::fetch(PassLosses& losses) {
  backend_.copy(mse_, host_view(std::span(losses.mse), {batch_}));
  backend_.copy(vb_, host_view(std::span(losses.vb), {batch_}));
}

}  // namespace edt
