#include "model/training/objective.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"

namespace edt {
namespace {

// The rows of one pass.
template <class T>
std::span<T> part(std::span<T> values, std::int64_t pass, std::int64_t passes) {
  const std::size_t size = values.size() / static_cast<std::size_t>(passes);
  return values.subspan(static_cast<std::size_t>(pass) * size, size);
}

std::vector<std::int64_t> taps_of(Companions companions) {
  std::vector<std::int64_t> all;
  for (const AuxiliaryLoss* one : companions) {
    for (const std::int64_t after : one->taps()) {
      if (std::ranges::find(all, after) == all.end()) all.push_back(after);
    }
  }
  return all;
}

}  // namespace

Objective::Objective(Model& model, Backend& backend, const ObjectiveConfig& config,
                     std::int64_t batch, Companions companions)
    : model_(model),
      backend_(backend),
      config_(config),
      batch_(batch),
      passes_(most_passes()),
      inputs_(backend),
      companions_(companions.begin(), companions.end()),
      taps_(taps_of(companions)) {
  require<UsageError>(!config.masked || model.has_masked_pass(), "objective",
                      "a masked pass is asked for, but {} has none", model.name());
  require<UsageError>(!config.shared_noise || config.masked, "objective",
                      "shared noise is asked for without the masked pass");
  require<UsageError>(!config.shared_noise || !model.dropping(), "objective",
                      "shared noise is for models whose masks zero tokens, {} drops them",
                      model.name());
  EDT_ASSERT(!config.judges || (!config.masked && config.dual_time == 0));
  require<UsageError>(config.dual_time == 0 || !config.masked, "objective",
                      "train.dual-time is {}, and there is a masked pass: groups are passes of "
                      "their own",
                      config.dual_time);
  const LatentShape& latents = model.latents();
  const Shape image{rows(), latents.channels, latents.height, latents.width};
  in_ = {.x_start = inputs_.add(image, DType::kFloat32),
         .t = inputs_.add({rows()}, DType::kFloat32),
         .labels = inputs_.add({rows()}, DType::kInt32),
         .positions = inputs_.add({batch}, DType::kInt32),
         .weights = inputs_.add({rows()}, DType::kFloat32),
         .scales = inputs_.add({rows(), 2}, DType::kFloat32)};
  loss_ = make_denoising_loss(model, config.loss, inputs_, rows());
  terms_ = loss_->terms();
  for (AuxiliaryLoss* one : companions_) {
    // The complete pass is nothing that companions see.
    one->add_inputs(inputs_, batch, config.masked || config.dual_time > 0 ? 2 : 1);
    if (GateRecord* const gates = one->gates()) gates_ = gates;
    for (const LossTerm& term : one->terms()) {
      EDT_ASSERT(term.beside);
      terms_.push_back(term);
    }
  }
  conditions_.emplace(model, inputs_, rows());
  if (config.masked) masks_.emplace(model, inputs_, batch);
  if (config.dual_time > 0) groups_.emplace(model.patches(), config.dual_time, inputs_, batch);
  for (AuxiliaryLoss* one : companions_) {
    Teacher* const teacher = one->teacher();
    if (teacher == nullptr || std::ranges::find(teachers_, teacher) != teachers_.end()) continue;
    teachers_.push_back(teacher);
  }
  std::int64_t numbers = 0;
  for (const AuxiliaryLoss* one : companions_) numbers += one->statistics();
  if (numbers > 0) statistics_ = buffer({numbers});
  noise_ = buffer(image);
  x_t_ = buffer(image);
}

Objective::Pass Objective::pass(std::int64_t index) const {
  if (config_.judges) return {random::Purpose::kEvaluation, random::Purpose::kEvaluation};
  if (index == 0 || config_.shared_noise || groups_)
    return {random::Purpose::kNoise, random::Purpose::kLabelDrop};
  if (has_complete_pass()) return {random::Purpose::kNoise, random::Purpose::kLabelDropMasked};
  return {random::Purpose::kNoiseMasked, random::Purpose::kLabelDropMasked};
}

Tensor Objective::buffer(const Shape& shape) {
  Tensor tensor{nullptr, shape, DType::kFloat32};
  tensor.data = memory_.emplace_back(backend_.memory(), tensor.bytes()).data();
  return tensor;
}

bool Objective::begin_step(std::int64_t step) {
  if (config_.complete_steps == 0 || config_.masked) return false;
  const std::int64_t before = std::exchange(passes_, step < config_.complete_steps ? 2 : 1);
  return passes_ != before;
}

void Objective::prepare(StepKey key, const MicroBatch& batch) {
  EDT_ASSERT(static_cast<std::int64_t>(batch.positions.size()) == batch_);
  fill_inputs(key, batch);
  noise_images(key);
  for (AuxiliaryLoss* one : companions_) {
    one->draw(backend_, key, inputs_.tensor(in_.positions));
  }
}

void Objective::run(Tape& tape, double scale, const Tensor& losses,
                    const std::function<void()>& before_backward) {
  EDT_ASSERT(losses.shape == (Shape{static_cast<std::int64_t>(terms().size()), rows()}));
  std::int64_t first = 0;
  for (AuxiliaryLoss* one : companions_) {
    StepView step = view();
    if (const std::int64_t numbers = one->statistics(); numbers > 0) {
      step.statistics = statistics_.slice(first, first + numbers);
      first += numbers;
    }
    one->before(tape, step);
  }
  {
    std::vector<Seeded> means = means_of(tape, losses);
    taps_.clear();
    if (before_backward) before_backward();
    for (const auto& [mean, rows, weight] : means) {
      // A mean is over all rows; each pass counts with its own.
      const double passes = static_cast<double>(rows) / static_cast<double>(batch_);
      tape.device().fill(tape.target(mean.grad()).tensor, scale * passes * weight);
    }
    tape.backward();
  }
  for (AuxiliaryLoss* one : companions_) one->after();
  for (Teacher* teacher : teachers_) teacher->clear();
  tape.clear();
}

std::vector<Objective::Seeded> Objective::means_of(Tape& tape, const Tensor& losses) {
  std::vector<Seeded> means;
  const auto add = [&](std::vector<Var> more, std::int64_t rows,
                       const std::vector<LossTerm>& terms) {
    for (std::size_t i = 0; i < more.size(); ++i) {
      means.push_back({std::move(more[i]), rows, terms[i % terms.size()].weight});
    }
  };
  StepView step = view();
  if (groups_) {
    means = denoise_groups(tape, losses);
  } else {
    step.output = forward(tape);
    add((*loss_)(tape, step.output, inputs_, step.images, losses), rows(), loss_->terms());
  }
  auto first = static_cast<std::int64_t>(loss_->terms().size());
  for (AuxiliaryLoss* one : companions_) {
    const auto count = static_cast<std::int64_t>(one->terms().size());
    add((*one)(tape, step, losses.slice(first, first + count)), one->rows(), one->terms());
    first += count;
  }
  return means;
}

// Shares of a picture's tokens are among the inputs of the loss: each mean counts whole.
std::vector<Objective::Seeded> Objective::denoise_groups(Tape& tape, const Tensor& losses) {
  std::vector<Var> outputs = model_.forward_groups(tape, seen(rows()), groups_->groups());
  std::vector<Seeded> means;
  for (std::size_t g = 0; g < outputs.size(); ++g) {
    const std::vector<Var> of_group =
        loss_->of_group(tape, outputs[g], groups_->groups()[g],
                        static_cast<std::int64_t>(g) * batch_, inputs_, images(), losses);
    for (std::size_t term = 0; term < of_group.size(); ++term) {
      means.push_back({of_group[term], batch_, terms_[term].weight});
    }
    outputs[g] = {};
  }
  return means;
}

void Objective::judge(Tape& tape, const Tensor& losses) {
  EDT_ASSERT(config_.judges);
  const Tape::NoGrad inference(tape);
  {
    const Var tokens = forward(tape);
    (void)(*loss_)(tape, tokens, inputs_, images(), losses);
  }
  tape.clear();
}

void Objective::fill_inputs(StepKey key, const MicroBatch& batch) {
  const float dropout = config_.judges ? 0 : model_.label_dropout();
  const float text_dropout = config_.judges ? 0 : model_.text().dropout;
  inputs_.begin();
  std::ranges::copy(batch.positions, inputs_.host<std::int32_t>(in_.positions).begin());
  for (std::int64_t p = 0; p < passes_; ++p) {
    const auto floats = [&](std::size_t input) {
      return part(inputs_.host<float>(input), p, most_passes());
    };
    std::ranges::copy(batch.latents, floats(in_.x_start).begin());
    std::ranges::copy(batch.weights, floats(in_.weights).begin());
    const auto times = groups_ && p > 0 ? batch.second_times : batch.times;
    fill_times(times, floats(in_.t), floats(in_.scales));
    loss_->fill(inputs_, static_cast<std::size_t>(p * batch_), times,
                groups_ ? groups_->share(static_cast<std::size_t>(p)) : 1);
    const auto labels = part(inputs_.host<std::int32_t>(in_.labels), p, most_passes());
    std::ranges::copy(batch.labels, labels.begin());
    drop_labels(key, pass(p).label_drop, batch.positions, dropout,
                static_cast<std::int32_t>(model_.classes()), labels);
    conditions_->fill({static_cast<std::size_t>(p * batch_), batch.positions, batch.arrays}, key,
                      pass(p).label_drop, text_dropout);
  }
  if (masks_) masks_->draw(key, batch.positions);
  if (groups_) groups_->draw(key, batch.positions);
  fill_companions(key, batch);
  inputs_.send();
}

// Each sees the arrays that it asked for.
void Objective::fill_companions(StepKey key, const MicroBatch& batch) {
  std::size_t first = model_.arrays().size();
  for (AuxiliaryLoss* one : companions_) {
    const std::size_t count = one->arrays().size();
    EDT_ASSERT(first + count <= batch.arrays.size());
    MicroBatch own = batch;
    own.arrays = batch.arrays.subspan(first, count);
    one->fill(key, own, inputs_);
    first += count;
  }
}

std::vector<ArrayRequest> Objective::arrays() const {
  std::vector<ArrayRequest> all = model_.arrays();
  for (const AuxiliaryLoss* one : companions_) {
    for (ArrayRequest& request : one->arrays()) all.push_back(std::move(request));
  }
  return all;
}

void Objective::learn(std::span<const float> statistics, std::int64_t micro_batches) {
  const std::size_t all = statistics.size() / static_cast<std::size_t>(micro_batches);
  std::size_t first = 0;
  for (AuxiliaryLoss* one : companions_) {
    const auto count = static_cast<std::size_t>(one->statistics());
    std::vector<float> own;
    for (std::size_t at = first; count > 0 && at < statistics.size(); at += all) {
      const auto part = statistics.subspan(at, count);
      own.insert(own.end(), part.begin(), part.end());
    }
    if (count > 0) one->learn(own);
    first += count;
  }
}

std::size_t Objective::teacher_bytes() const {
  std::size_t bytes = 0;
  for (const AuxiliaryLoss* one : companions_) bytes += one->weight_bytes();
  return bytes;
}

void Objective::fill_times(std::span<const double> times, std::span<float> told,
                           std::span<float> scales) const {
  const Process& process = model_.process();
  for (std::size_t b = 0; b < times.size(); ++b) {
    const PathPoint point = process.at(times[b]);
    told[b] = process.told(times[b]);
    scales[2 * b] = static_cast<float>(point.alpha);
    scales[2 * b + 1] = static_cast<float>(point.sigma);
  }
}

void Objective::noise_images(StepKey key) {
  for (std::int64_t p = 0; p < passes_; ++p) {
    backend_.random_normal({key.seed, pass(p).noise, key.step, 0}, inputs_.tensor(in_.positions),
                           noise_.slice(p * batch_, (p + 1) * batch_));
  }
  backend_.add_noise(of_rows(inputs_.tensor(in_.x_start)), of_rows(noise_),
                     of_rows(inputs_.tensor(in_.scales)), of_rows(x_t_));
}

NoisedImages Objective::images() {
  return {of_rows(inputs_.tensor(in_.x_start)), of_rows(x_t_), of_rows(noise_),
          of_rows(inputs_.tensor(in_.weights))};
}

StepView Objective::view() {
  StepView step{
      batch_,  images(), of_rows(inputs_.tensor(in_.t)), of_rows(inputs_.tensor(in_.labels)),
      inputs_, taps_};
  if (groups_) step.groups = groups_->groups();
  step.text = conditions_->text(rows());
  step.frames = conditions_->frames(rows());
  return step;
}

ModelInputs Objective::seen(std::int64_t rows) {
  return {x_t_.slice(0, rows),
          inputs_.tensor(in_.t).slice(0, rows),
          inputs_.tensor(in_.labels).slice(0, rows),
          {.taps = companions_.empty() ? nullptr : &taps_, .gates = gates_},
          conditions_->text(rows),
          conditions_->frames(rows)};
}

Var Objective::forward(Tape& tape) {
  if (!masks_) return model_.forward(tape, seen(rows()));
  return model_.forward_passes(tape, seen(config_.shared_noise ? batch_ : rows()), masks_->masks());
}

}  // namespace edt
