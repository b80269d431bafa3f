#include "model/training/objective.h"

#include <algorithm>

#include "core/base/error.h"

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
  require<UsageError>(!config.masked || model.has_masked_pass(), "objective",
                      "a masked pass is asked for, but {} has none", model.name());
  require<UsageError>(!config.shared_noise || config.masked, "objective",
                      "shared noise is asked for without the masked pass");
  require<UsageError>(!config.shared_noise || !model.dropping(), "objective",
                      "shared noise is for models whose masks zero tokens, {} drops them",
                      model.name());
  const std::int64_t side = model.input_size(), rows = passes() * batch;
  const Shape image{rows, model.channels(), side, side};
  x_start_ = buffer(image);
  noise_ = buffer(image);
  x_t_ = buffer(image);
  for (Tensor* vector : {&t_, &weights_, &mse_, &vb_}) *vector = buffer({rows});
  dropped_labels_ = buffer({rows}, DType::kInt32);
  positions_ = buffer({batch}, DType::kInt32);
  scales_ = buffer({rows, 2});
  coefficients_ = buffer({rows, LossCoefficient::kCount});
  if (config.masked) masks_.emplace(model, backend, batch);
  staging_.resize(static_cast<std::size_t>(batch * LossCoefficient::kCount));
  label_staging_.resize(static_cast<std::size_t>(batch));
  for (PassLosses* losses : {&full_, &masked_}) {
    losses->mse.resize(static_cast<std::size_t>(batch));
    losses->vb.resize(static_cast<std::size_t>(batch));
  }
}

Objective::Pass Objective::pass(std::int64_t index) const {
  if (index == 0 || config_.shared_noise)
    return {random::Purpose::kNoise, random::Purpose::kLabelDrop};
  return {random::Purpose::kNoiseMasked, random::Purpose::kLabelDropMasked};
}

Tensor Objective::buffer(const Shape& shape, DType dtype) {
  Tensor tensor{nullptr, shape, dtype};
  tensor.data = memory_.emplace_back(backend_.memory(), tensor.bytes()).data();
  return tensor;
}

void Objective::run(Tape& tape, StepKey key, const MicroBatch& batch, double scale) {
  EDT_ASSERT(static_cast<std::int64_t>(batch.positions.size()) == batch_);
  load(batch);
  draw_noise(key, batch);
  {
    Var tokens = forward(tape, key, batch);
    const LossInputs inputs{x_start_, x_t_, noise_, coefficients_, weights_, model_.patch()};
    const Var loss = diffusion_loss(tape, tokens, inputs, mse_, vb_);
    tokens = {};
    // The loss is a mean over all rows; each pass counts with its own mean.
    tape.backward(loss, scale * static_cast<double>(passes()));
  }
  tape.clear();
  fetch_losses();
}

void Objective::load(const MicroBatch& batch) {
  const std::span<float> staging(staging_);
  const auto samples = static_cast<std::size_t>(batch_);
  backend_.copy(host_view(batch.positions, {batch_}), positions_);
  for (std::int64_t p = 0; p < passes(); ++p) {
    const auto put = [&](std::span<const float> values, const Tensor& rows) {
      const Tensor to = rows.slice(p * batch_, (p + 1) * batch_);
      backend_.copy(host_view(values, to.shape), to);
    };
    put(batch.latents, x_start_);
    put(batch.weights, weights_);
    std::ranges::copy(batch.timesteps, staging.begin());
    put(staging.first(samples), t_);
    schedule_.noise_scales(batch.timesteps, staging.first(2 * samples));
    put(staging.first(2 * samples), scales_);
    schedule_.loss_coefficients(batch.timesteps, config_.snr_gamma, staging);
    put(staging, coefficients_);
  }
}

void Objective::draw_noise(StepKey key, const MicroBatch& batch) {
  for (std::int64_t p = 0; p < passes(); ++p) {
    const std::int64_t first = p * batch_, last = first + batch_;
    backend_.random_normal({key.seed, pass(p).noise, key.step, 0}, positions_,
                           noise_.slice(first, last));
    std::ranges::copy(batch.labels, label_staging_.begin());
    drop_labels(key, pass(p).label_drop, batch.positions, model_.label_dropout(),
                static_cast<std::int32_t>(model_.classes()), label_staging_);
    backend_.copy(host_view(std::span(label_staging_), {batch_}),
                  dropped_labels_.slice(first, last));
  }
  backend_.add_noise(x_start_, noise_, scales_, x_t_);
}

Var Objective::forward(Tape& tape, StepKey key, const MicroBatch& batch) {
  if (!masks_) return model_.forward(tape, {x_t_, t_, dropped_labels_});
  const PassMasks& masks = masks_->draw(key, batch.positions);
  const std::int64_t rows = config_.shared_noise ? batch_ : passes() * batch_;
  return model_.forward_passes(
      tape, {x_t_.slice(0, rows), t_.slice(0, rows), dropped_labels_.slice(0, rows)}, masks);
}

void Objective::fetch_losses() {
  for (std::int64_t p = 0; p < passes(); ++p) {
    PassLosses& losses = p == 0 ? full_ : masked_;
    const auto fetch = [&](const Tensor& rows, std::vector<float>& to) {
      backend_.copy(rows.slice(p * batch_, (p + 1) * batch_), host_view(std::span(to), {batch_}));
    };
    fetch(mse_, losses.mse);
    fetch(vb_, losses.vb);
  }
}

}  // namespace edt
