#include "model/auxiliary/distillation.h"

#include <algorithm>

#include "core/ops/attention_map.h"
#include "core/ops/rows.h"
#include "core/optim/grad_norm.h"
#include "model/weights.h"

namespace edt {
namespace {

void check_same_data(const DistillationConfig& config, const ModelConfig& model) {
  const CommonConfig &student = model.common(), &teacher = config.teacher->common();
  require<UsageError>(student.latents == teacher.latents, "distill",
                      "distill.from {}: its latents are {} x {} x {} of factor {}, those of {} are "
                      "{} x {} x {} of factor {}",
                      config.run, teacher.latents.channels, teacher.latents.height,
                      teacher.latents.width, teacher.latents.factor, model.name(),
                      student.latents.channels, student.latents.height, student.latents.width,
                      student.latents.factor);
  require<UsageError>(student.classes == teacher.classes, "distill",
                      "distill.from {}: it has {} classes, {} has {}", config.run, teacher.classes,
                      model.name(), student.classes);
  require<UsageError>(student.process == teacher.process, "distill",
                      "distill.from {}: it is trained on {}, {} on {}", config.run,
                      text_of(teacher.process), model.name(), text_of(student.process));
  const TextConfig &own = student.text, &its = teacher.text;
  require<UsageError>(
      !its.is_on() || (own.is_on() && own.tokens == its.tokens && own.channels == its.channels),
      "distill", "distill.from {}: it reads texts of {} tokens with {} channels, {} of {} with {}",
      config.run, its.tokens, its.channels, model.name(), own.tokens, own.channels);
  require<UsageError>(
      teacher.frame_channels == 0 || student.frame_channels == teacher.frame_channels, "distill",
      "distill.from {}: it reads {} numbers beside each frame, {} {}", config.run,
      teacher.frame_channels, model.name(), student.frame_channels);
  require<UsageError>(config.output == 0 || student.patch == teacher.patch, "distill",
                      "distill.output is {}: {} gives patches of {}, {} of {}", config.output,
                      config.run, teacher.patch, model.name(), student.patch);
}

// Maps are compared in pairs of as many tokens.
void check_maps(const DistillationConfig& config, const ModelConfig& model) {
  require<UsageError>(config.after.size() == config.teacher_after.size(), "distill",
                      "distill.after names {} blocks of {}, distill.teacher-after {} of {}",
                      config.after.size(), model.name(), config.teacher_after.size(), config.run);
  for (std::size_t i = 0; i < config.after.size(); ++i) {
    const TokenGrid own = model.site_after(config.after[i], "distill.after").grid;
    const TokenGrid its =
        config.teacher->site_after(config.teacher_after[i], "distill.teacher-after").grid;
    require<UsageError>(own == its, "distill",
                        "distill.after is {}, where {} has {} x {} tokens, and "
                        "distill.teacher-after {}, where {} has {} x {}",
                        config.after[i], model.name(), own.rows, own.columns,
                        config.teacher_after[i], config.run, its.rows, its.columns);
  }
}

Tensor row(const Tensor& losses, std::size_t term) {
  const auto at = static_cast<std::int64_t>(term);
  return losses.slice(at, at + 1).reshaped({losses.shape[1]});
}

}  // namespace

DistillationConfig DistillationConfig::resolved(const ModelConfig& model) const {
  constexpr std::int64_t kParts = 4;
  DistillationConfig config = *this;
  if (attention == 0) return config;
  const std::int64_t parts = std::min({kParts, model.blocks(), teacher->blocks()});
  if (after.empty()) config.after = model.stage_ends(parts);
  if (teacher_after.empty()) config.teacher_after = teacher->stage_ends(parts);
  return config;
}

void check_distillation(const DistillationConfig& config, const ModelConfig& model,
                        const ObjectiveConfig& objective) {
  require<UsageError>(config.output > 0 || config.attention > 0, "distill",
                      "distill.from is {}, and the weights distill.output and distill.attention "
                      "are 0",
                      config.run);
  require<UsageError>(objective.dual_time == 0, "distill",
                      "distill.from is {}, and train.dual-time is {}: the teacher sees whole "
                      "pictures at one time",
                      config.run, objective.dual_time);
  check_same_data(config, model);
  check_maps(config.resolved(model), model);
}

Distillation::Distillation(const DistillationConfig& config, const ModelConfig& model,
                           const ModelPlace& place)
    : config_(config.resolved(model)),
      device_(place.device),
      teacher_(make_model(*config.teacher, place.device, place.dtype, place.ranks)),
      layout_(FlatLayout::of(teacher_.copies(), static_cast<std::int64_t>(kNormBlock))),
      memory_(place.device.memory(),
              static_cast<std::size_t>(layout_.size()) * size_of(place.dtype)),
      weights_{memory_.data(), {layout_.size()}, place.dtype},
      taps_(config_.teacher_after,
            config_.output > 0 ? Taps::Rest::kComputed : Taps::Rest::kLeftOut) {
  std::size_t i = 0;
  for (Parameter* parameter : teacher_.copies()) {
    const FlatTensor& tensor = layout_.tensor(i++);
    parameter->value = weights_.slice(tensor.offset, tensor.end()).reshaped(parameter->shape);
  }
  if (config_.output > 0) {
    terms_.push_back({.name = "distill_output", .weight = config_.output, .beside = true});
  }
  const auto maps = static_cast<double>(config_.after.size());
  for (const std::int64_t block : config_.after) {
    terms_.push_back({.name = fmt::format("distill_attention_{}", block),
                      .weight = config_.attention / maps,
                      .beside = true});
  }
}

void Distillation::begin() {
  std::vector<float> values(static_cast<std::size_t>(layout_.size()));  // the padding is zero
  config_.read(teacher_.model(), layout_, values);
  device_.upload_floats(values, weights_);
}

void Distillation::add_inputs(InputBuffers& inputs, std::int64_t batch, std::int64_t) {
  rows_ = batch;
  importance_ = inputs.add({rows_}, DType::kFloat32);
  ones_ = inputs.add({rows_}, DType::kFloat32);
}

void Distillation::fill(StepKey key, const MicroBatch& batch, InputBuffers& inputs) {
  const auto factor = static_cast<float>(config_.course.factor(key.step));
  std::ranges::transform(batch.weights, inputs.host<float>(importance_).begin(),
                         [factor](float weight) { return factor * weight; });
  std::ranges::fill(inputs.host<float>(ones_), 1.f);
}

// The full pass of the student, and the labels that it is told.
void Distillation::before(Tape& student, const StepView& step) {
  teacher_.attach(student);
  const Var output = teacher_.look(step.seen(step.images.x_t.slice(0, rows_),
                                             step.t.slice(0, rows_), step.labels.slice(0, rows_)),
                                   taps_);
  if (config_.output > 0) targets_.push_back(teacher_.accurate(output));
  const Tape::NoGrad inference(teacher_.tape());
  for (const std::int64_t block : config_.teacher_after) {
    targets_.push_back(attention_map(teacher_.tape(), taps_.from(block, 0)));
  }
  taps_.clear();
}

std::vector<Var> Distillation::operator()(Tape& tape, const StepView& step, const Tensor& losses) {
  std::vector<Var> means;
  const auto compare = [&](const Var& y) {
    const std::size_t term = means.size();
    means.push_back(token_loss(
        tape, y, {targets_[term], step.inputs.tensor(ones_), step.inputs.tensor(importance_)},
        row(losses, term).slice(0, rows_)));
  };
  if (config_.output > 0) {
    const bool is_all = step.output.shape()[0] == rows_;
    compare(is_all ? step.output : take_rows(tape, step.output, 0, rows_));
  }
  for (const std::int64_t block : config_.after) {
    compare(attention_map(tape, step.taps.tokens(tape, block, rows_)));
  }
  return means;
}

void Distillation::after() {
  targets_.clear();
  teacher_.clear();
}

}  // namespace edt
