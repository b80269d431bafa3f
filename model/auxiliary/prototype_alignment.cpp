#include "model/auxiliary/prototype_alignment.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/ops/rows.h"
#include "model/auxiliary/teacher_alignment.h"

namespace edt {
namespace {

// The length that prototypes have when they are drawn times that of points: temperatures are of
// logits in this unit, as DINO's are of vectors of length 1.
double unit_of(const PrototypeAlignmentConfig& config) {
  const auto width = static_cast<double>(config.width),
             count = static_cast<double>(config.prototypes);
  const double deviation = std::sqrt(2 / (width + count));  // Xavier's
  return std::sqrt(width) * std::sqrt(width) * deviation;
}

}  // namespace

PrototypeAlignmentConfig PrototypeAlignmentConfig::resolved(const ModelConfig& model) const {
  PrototypeAlignmentConfig config = *this;
  const std::int64_t half = std::max<std::int64_t>(1, model.blocks() / 2);
  if (after == 0) config.after = model.early_block(half, half);
  return config;
}

void check_prototypes(const PrototypeAlignmentConfig& config, const ModelConfig& model,
                      const ObjectiveConfig& objective) {
  const std::int64_t after = config.resolved(model).after;
  (void)model.site_after(after, "align.prototypes.after");
  require<UsageError>(objective.dual_time == 0, "align",
                      "align.with names prototypes, and train.dual-time is {}: the teacher sees "
                      "whole pictures at one time",
                      objective.dual_time);
  require<UsageError>(!objective.shared_noise || after > model.passes().shared_blocks, "align",
                      "align.prototypes.after is {}, and with train.shared-noise both passes have "
                      "one block {}: block {} is the first with tokens of the masked pass",
                      after, model.passes().shared_blocks, model.passes().shared_blocks + 1);
}

PrototypeHead PrototypeHead::make(ParameterList& list, std::int64_t token_width,
                                  const PrototypeAlignmentConfig& config) {
  const ParameterList::Part part(list, PrototypeAlignment::kPart);
  PrototypeHead head;
  head.points = MlpHead::make(list, {"prototype_head.linear1", "prototype_head.linear2"},
                              {token_width, 2 * token_width, config.width});
  head.prototypes =
      &list.add("prototypes.weight", {config.prototypes, config.width}, Init::kXavierUniform);
  return head;
}

// A layer norm without parameters gives all points one length.
Var PrototypeHead::operator()(Tape& tape, const Var& tokens, const Tensor& zeros) const {
  const Var point = modulated_norm(tape, points(tape, tokens), tape.leaf(zeros));
  return linear(tape, point, *prototypes);
}

PrototypeAlignment::PrototypeAlignment(const PrototypeAlignmentConfig& alignment,
                                       const ModelConfig& config, const ObjectiveConfig& objective,
                                       const ModelPlace& place, Model& model,
                                       std::shared_ptr<Teacher> teacher)
    : alignment_(alignment.resolved(config)),
      process_(model.process()),
      place_(place),
      masked_(objective.masked && config.passes().zeroes),
      teacher_(std::move(teacher)),
      terms_{{.name = "align_prototypes", .weight = alignment.course.weight, .beside = true}},
      centre_(static_cast<std::size_t>(alignment.prototypes)),
      taps_({alignment_.after}, Taps::Rest::kLeftOut) {
  const TokenSite site = config.site_after(alignment_.after, "align.prototypes.after");
  tokens_ = site.grid.tokens();
  head_ = PrototypeHead::make(model.parameters(), site.width, alignment_);
  teachers_ = PrototypeHead::make(teacher_->model().parameters(), site.width, alignment_);
}

void PrototypeAlignment::add_inputs(InputBuffers& inputs, std::int64_t batch, std::int64_t) {
  batch_ = batch;
  told_ = inputs.add({batch}, DType::kFloat32);
  scales_ = inputs.add({batch, 2}, DType::kFloat32);
  weights_ = inputs.add({batch}, DType::kFloat32);
  ones_ = inputs.add({batch}, DType::kFloat32);
  minus_centre_ = inputs.add({alignment_.prototypes}, DType::kFloat32);
  zeros_ = {nullptr, {batch, 2 * alignment_.width}, place_.dtype};
  zeros_memory_ = Block(place_.device.memory(), zeros_.bytes());
  zeros_.data = zeros_memory_.data();
  place_.device.zero(zeros_);
}

void PrototypeAlignment::fill(StepKey key, const MicroBatch& batch, InputBuffers& inputs) {
  const double time = teacher_time(process_, alignment_.time, 0, 0);
  const PathPoint point = process_.at(time);
  const auto factor = static_cast<float>(alignment_.course.factor(key.step));
  for (std::size_t b = 0; b < batch.weights.size(); ++b) {
    inputs.host<float>(told_)[b] = process_.told(time);
    inputs.host<float>(scales_)[2 * b] = static_cast<float>(point.alpha);
    inputs.host<float>(scales_)[2 * b + 1] = static_cast<float>(point.sigma);
    inputs.host<float>(weights_)[b] = factor * batch.weights[b];
  }
  std::ranges::fill(inputs.host<float>(ones_), 1.f);
  std::ranges::transform(centre_, inputs.host<float>(minus_centre_).begin(), std::negate<>());
}

// The noise of the full pass, less of it, and its labels.
void PrototypeAlignment::before(Tape&, const StepView& step) {
  Tape& tape = teacher_->tape();
  const Tensor x_start = step.images.x_start.slice(0, batch_);
  const Var image = tape.make(x_start.shape, tape.accurate_dtype());
  {
    Profiler::Scope scope(tape.profiler(), "teacher.noise");
    backend_of(tape).add_noise(x_start, step.images.noise.slice(0, batch_),
                               step.inputs.tensor(scales_), image.tensor());
  }
  (void)teacher_->look(
      step.seen(image.tensor(), step.inputs.tensor(told_), step.labels.slice(0, batch_)), taps_);
  const Tape::NoGrad inference(tape);
  const Var logits = teacher_->accurate(teachers_(tape, taps_.from(alignment_.after, 0), zeros_));
  taps_.clear();
  target_ = tape.make(logits.shape(), tape.accurate_dtype());
  const Shape rows{batch_ * tokens_, alignment_.prototypes};
  Profiler::Scope scope(tape.profiler(), "teacher.centre");
  backend_of(tape).add_bias_backward(logits.tensor().reshaped(rows), {step.statistics, false});
  backend_of(tape).add_bias_forward(logits.tensor().reshaped(rows),
                                    step.inputs.tensor(minus_centre_),
                                    target_.tensor().reshaped(rows));
}

std::vector<Var> PrototypeAlignment::operator()(Tape& tape, const StepView& step,
                                                const Tensor& losses) {
  const std::int64_t first = masked_ ? batch_ : 0;
  const Var seen = step.taps.tokens(tape, alignment_.after, first + batch_);
  const Var tokens = masked_ ? take_rows(tape, seen, first, first + batch_) : seen;
  const Var logits = head_(tape, tokens, zeros_);
  const double unit = unit_of(alignment_);
  const TokenLossInputs inputs{target_,
                               step.inputs.tensor(ones_),
                               step.inputs.tensor(weights_),
                               {.kind = Distance::kCrossEntropy,
                                .group = alignment_.prototypes,
                                .temperature = unit * alignment_.student_temperature,
                                .target_temperature = unit * alignment_.teacher_temperature}};
  const Tensor of_rows = losses.slice(0, 1).reshaped({losses.shape[1]});
  return {token_loss(tape, logits, inputs, of_rows.slice(0, batch_))};
}

// In the order of micro-batches, whoever has computed them.
void PrototypeAlignment::learn(std::span<const float> rows) {
  const std::size_t numbers = centre_.size(), count = rows.size() / numbers;
  const double share = 1 / (static_cast<double>(count) * static_cast<double>(batch_ * tokens_));
  const double keep = alignment_.centre_momentum;
  for (std::size_t k = 0; k < numbers; ++k) {
    double sum = 0;
    for (std::size_t row = 0; row < count; ++row) sum += rows[row * numbers + k];
    centre_[k] = static_cast<float>(keep * centre_[k] + (1 - keep) * share * sum);
  }
}

}  // namespace edt
