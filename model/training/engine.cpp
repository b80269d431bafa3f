#include "model/training/engine.h"

#include <chrono>
#include <cmath>
#include <numeric>

#include "core/optim/grad_norm.h"
#include "model/weights.h"

namespace edt {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double mean(std::span<const float> values) {
  double sum = 0;
  for (float v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

// Mean over samples of weight * (mse + vb), in sample order.
double weighted_mean(std::span<const float> weights, std::span<const float> mse,
                     std::span<const float> vb) {
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    sum += double(weights[i]) * (double(mse[i]) + double(vb[i]));
  }
  return sum / static_cast<double>(weights.size());
}

std::vector<std::string> state_names(const Optimizer& optimizer) {
  const auto names = optimizer.state_names();
  return {names.begin(), names.end()};
}

}  // namespace

TrainingEngine::TrainingEngine(Model& model, Backend& backend, Communicator& communicator,
                               const EngineConfig& config)
    : model_(model),
      communicator_(communicator),
      config_(config),
      parameters_(parameter_pointers(model.parameters())),
      layout_(FlatLayout::of(parameters_, kNormBlock)),
      optimizer_(make_optimizer(config.optimizer)),
      buffers_(backend.memory(), layout_, layout_.whole(),
               {.compute = config.dtype, .states = state_names(*optimizer_), .ema = true}),
      gradients_(backend.memory(), buffers_.gradient(), static_cast<int>(micro_batches())),
      sampler_(make_timestep_sampler(config.loss_second_moment ? "loss-second-moment" : "uniform",
                                     schedule_.steps())),
      arena_(backend.memory()),
      tape_(backend, arena_, profiler_, config.dtype),
      objective_(model, backend, schedule_, config.objective, config.micro_batch) {
  buffers_.bind(parameters_);
  model_.set_recompute(config.recompute);
  const auto batch = static_cast<std::size_t>(config.batch);
  positions_.resize(batch);
  std::iota(positions_.begin(), positions_.end(), 0);
  timesteps_.resize(batch);
  for (std::vector<float>* values : {&weights_, &mse_, &vb_, &masked_mse_, &masked_vb_}) {
    values->resize(batch);
  }
  norm_sums_.resize(norm_blocks(static_cast<std::size_t>(layout_.size())));
}

void TrainingEngine::initialize() {
  const std::span<float> master = buffers_.master();
  for (std::size_t i = 0; i < layout_.tensors().size(); ++i) {
    const FlatTensor& tensor = layout_.tensor(i);
    model_.parameters().initialize(i, config_.seed,
                                   master.subspan(static_cast<std::size_t>(tensor.offset),
                                                  static_cast<std::size_t>(tensor.elements())));
  }
  std::ranges::copy(master, buffers_.ema().begin());
  restored(0);
}

void TrainingEngine::restored(std::int64_t step) {
  step_ = step;
  buffers_.refresh_compute();
}

void TrainingEngine::begin_step() {
  sampler_->sample(key().seed, key().step, timesteps_, weights_);
  gradients_.reset();
  profiler_.reset();
  compute_seconds_ = 0;
}

void TrainingEngine::run_micro_batch(std::int64_t index, std::span<const float> latents,
                                     std::span<const std::int32_t> labels) {
  const auto begin = Clock::now();
  const auto size = static_cast<std::size_t>(config_.micro_batch);
  const std::size_t first = static_cast<std::size_t>(index) * size;
  const MicroBatch batch{.latents = latents,
                         .labels = labels,
                         .positions = std::span(positions_).subspan(first, size),
                         .timesteps = std::span(timesteps_).subspan(first, size),
                         .weights = std::span(weights_).subspan(first, size)};
  buffers_.bind_gradients(parameters_, gradients_.leaf());
  for (Parameter* parameter : parameters_) parameter->grad_written = false;
  objective_.run(tape_, key(), batch, 1.0 / static_cast<double>(micro_batches()));
  gradients_.add();

  const auto keep = [&](const std::vector<float>& from, std::vector<float>& to) {
    std::ranges::copy(from, to.begin() + static_cast<std::ptrdiff_t>(first));
  };
  keep(objective_.full().mse, mse_);
  keep(objective_.full().vb, vb_);
  if (objective_.masked()) {
    keep(objective_.masked_losses().mse, masked_mse_);
    keep(objective_.masked_losses().vb, masked_vb_);
  }
  compute_seconds_ += seconds_since(begin);
}

StepReport TrainingEngine::finish_step() {
  EDT_ASSERT(gradients_.complete());
  StepReport report;
  report.step = step_ + 1;
  report.compute_seconds = compute_seconds_;
  report.learning_rate = learning_rate(config_.rate, step_);
  reduce_losses(report);

  const auto begin = Clock::now();
  block_square_sums(gradients_.result(), norm_sums_);
  report.grad_norm = norm_of(norm_sums_);
  report.non_finite = find_non_finite(report);
  // All ranks skip, or none does.
  if (!communicator_.any(!report.non_finite.empty(), "non-finite flag")) {
    update(clip_factor(report.grad_norm, config_.clip), report.learning_rate);
    std::vector<float> total(mse_);
    for (std::size_t i = 0; i < total.size(); ++i) {
      total[i] += vb_[i] + (objective_.masked() ? masked_mse_[i] + masked_vb_[i] : 0.f);
    }
    sampler_->update(timesteps_, total);
  }
  ++step_;
  report.optimizer_seconds = seconds_since(begin);
  return report;
}

void TrainingEngine::reduce_losses(StepReport& report) {
  report.loss = weighted_mean(weights_, mse_, vb_);
  report.mse = mean(mse_);
  report.vb = mean(vb_);
  if (objective_.masked()) report.masked_loss = weighted_mean(weights_, masked_mse_, masked_vb_);
}

std::string TrainingEngine::find_non_finite(const StepReport& report) {
  if (!std::isfinite(report.loss)) return fmt::format("loss of the full pass ({})", report.loss);
  if (report.masked_loss && !std::isfinite(*report.masked_loss))
    return fmt::format("loss of the masked pass ({})", *report.masked_loss);
  if (std::isfinite(report.grad_norm)) return {};
  const auto index = first_non_finite(gradients_.result(), norm_sums_);
  if (!index) return fmt::format("gradient norm ({})", report.grad_norm);
  for (const FlatTensor& tensor : layout_.tensors()) {
    const auto at = static_cast<std::int64_t>(*index);
    if (tensor.offset <= at && at < tensor.end()) {
      return fmt::format("gradient of {} (element {} is {})", tensor.name, at - tensor.offset,
                         gradients_.result()[*index]);
    }
  }
  return "padding of the gradient";
}

void TrainingEngine::update(double clip_scale, double rate) {
  std::vector<std::span<float>> states;
  for (std::size_t i = 0; i < buffers_.state_count(); ++i) states.push_back(buffers_.state(i));
  optimizer_->update({.params = buffers_.master(),
                      .grads = gradients_.result(),
                      .states = states,
                      .ema = buffers_.ema(),
                      .working = buffers_.compute_bf16(),
                      .step = step_ + 1,
                      .learning_rate = rate,
                      .grad_scale = clip_scale,
                      .ema_decay = config_.ema_decay});
}

std::vector<MemoryUse> TrainingEngine::memory() const {
  std::vector<MemoryUse> uses = buffers_.bytes_by_category();
  uses.push_back({"gradient accumulation", gradients_.bytes()});
  uses.push_back({"activations", arena_.peak_bytes()});
  return uses;
}

}  // namespace edt
