#include "model/auxiliary/teacher_alignment.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace edt {

TeacherAlignmentConfig TeacherAlignmentConfig::resolved(const ModelConfig& model) const {
  constexpr std::int64_t kStudentStage = 2, kTeacherStage = 5, kOf = 7;
  TeacherAlignmentConfig config = *this;
  const std::int64_t blocks = model.blocks();
  const auto* edt = model.as<EdtConfig>();
  const bool has_stages = edt != nullptr && edt->down_stages() > 0;
  const std::int64_t chosen = std::max<std::int64_t>(1, blocks * kStudentStage / kOf);
  if (after == 0) config.after = has_stages ? model.early_block(2, 8) : chosen;
  if (teacher_after != 0) return config;
  config.teacher_after = std::max(config.after, blocks * kTeacherStage / kOf);
  if (!has_stages) return config;
  const TokenGrid grid = model.site_after(config.after, "align.teacher.after").grid;
  config.teacher_after = blocks;
  while (!(model.site_after(config.teacher_after, "align.teacher.teacher-after").grid == grid)) {
    --config.teacher_after;
  }
  return config;
}

void check_teacher(const TeacherAlignmentConfig& config, const ModelConfig& model) {
  const TeacherAlignmentConfig chosen = config.resolved(model);
  const TokenGrid mine = model.site_after(chosen.after, "align.teacher.after").grid;
  const TokenGrid others =
      model.site_after(chosen.teacher_after, "align.teacher.teacher-after").grid;
  require<UsageError>(mine == others, "align",
                      "align.teacher.after is {}, where {} has {} x {} tokens, and "
                      "align.teacher.teacher-after {}, where it has {} x {}",
                      chosen.after, model.name(), mine.rows, mine.columns, chosen.teacher_after,
                      others.rows, others.columns);
}

double teacher_time(const Process& process, double t, double interval, double u) {
  const double nearer = std::max(0.0, t - interval * u);
  if (process.schedule() == nullptr) return nearer;
  return process.time_of(static_cast<std::int32_t>(nearer * process.steps()));
}

TeacherAlignment::TeacherAlignment(const TeacherAlignmentConfig& alignment,
                                   const ModelConfig& config, const ObjectiveConfig& objective,
                                   Model& model, std::shared_ptr<Teacher> teacher)
    : alignment_(alignment.resolved(config)),
      process_(model.process()),
      teacher_(std::move(teacher)),
      terms_{{.name = "align_teacher", .weight = alignment.course.weight, .beside = true}},
      taps_({alignment_.teacher_after}, Taps::Rest::kLeftOut) {
  const TokenSite site = config.site_after(alignment_.after, "align.teacher.after");
  const std::int64_t wanted =
      config.site_after(alignment_.teacher_after, "align.teacher.teacher-after").width;
  if (objective.dual_time > 0) {
    const auto sizes = group_sizes(site.grid.tokens(), objective.dual_time);
    shares_.clear();
    for (const std::int64_t size : sizes) {
      shares_.push_back(static_cast<double>(size) / static_cast<double>(site.grid.tokens()));
    }
  }
  const ParameterList::Part part(model.parameters(), kPart);
  head_ = MlpHead::make(model.parameters(), {"ap_head.linear1", "ap_head.linear2"},
                        {site.width, 2 * site.width, wanted});
}

void TeacherAlignment::add_inputs(InputBuffers& inputs, std::int64_t batch, std::int64_t) {
  batch_ = batch;
  const std::int64_t rows = batch * static_cast<std::int64_t>(shares_.size());
  told_ = inputs.add({rows}, DType::kFloat32);
  scales_ = inputs.add({rows, 2}, DType::kFloat32);
  weights_ = inputs.add({batch}, DType::kFloat32);
  factors_ = inputs.add({rows}, DType::kFloat32);
  if (grouped()) labels_ = inputs.add({rows}, DType::kInt32);
}

void TeacherAlignment::fill(StepKey key, const MicroBatch& batch, InputBuffers& inputs) {
  const std::size_t size = batch.times.size();
  std::vector<double> times(shares_.size() * size);
  for (std::size_t b = 0; b < size; ++b) {
    std::array<float, 2> u;  // one for each group
    random::fill_uniform({key.seed, random::Purpose::kTeacherTime, key.step,
                          static_cast<std::uint32_t>(batch.positions[b])},
                         u);
    for (std::size_t g = 0; g < shares_.size(); ++g) {
      const double t = g == 0 ? batch.times[b] : batch.second_times[b];
      times[g * size + b] = teacher_time(process_, t, alignment_.interval, double{u[g]});
    }
  }
  const auto factor = static_cast<float>(alignment_.course.factor(key.step));
  std::vector<float> weights(batch.weights.begin(), batch.weights.end());
  for (float& weight : weights) weight *= factor;
  set(inputs, times, batch.labels, weights);
}

void TeacherAlignment::set(InputBuffers& inputs, std::span<const double> times,
                           std::span<const std::int32_t> labels, std::span<const float> weights) {
  std::ranges::copy(weights, inputs.host<float>(weights_).begin());
  for (std::size_t row = 0; row < times.size(); ++row) {
    const PathPoint point = process_.at(times[row]);
    inputs.host<float>(told_)[row] = process_.told(times[row]);
    inputs.host<float>(scales_)[2 * row] = static_cast<float>(point.alpha);
    inputs.host<float>(scales_)[2 * row + 1] = static_cast<float>(point.sigma);
    inputs.host<float>(factors_)[row] = static_cast<float>(shares_[row / weights.size()]);
    // As published: groups are told the labels that the student may not see.
    if (grouped()) inputs.host<std::int32_t>(labels_)[row] = labels[row % weights.size()];
  }
}

// The noise of the student, less of it, and the labels that it is told, where there are no groups.
void TeacherAlignment::before(Tape&, const StepView& step) {
  Tape& tape = teacher_->tape();
  const std::int64_t rows = batch_ * static_cast<std::int64_t>(shares_.size());
  const Tensor x_start = step.images.x_start.slice(0, rows);
  const Var image = tape.make(x_start.shape, tape.accurate_dtype());
  {
    Profiler::Scope scope(tape.profiler(), "teacher.noise");
    backend_of(tape).add_noise(x_start, step.images.noise.slice(0, rows),
                               step.inputs.tensor(scales_), image.tensor());
  }
  const Tensor labels = grouped() ? step.inputs.tensor(labels_) : step.labels.slice(0, rows);
  (void)teacher_->look(step.seen(image.tensor(), step.inputs.tensor(told_), labels), taps_,
                       step.groups);
  for (std::size_t g = 0; g < shares_.size(); ++g) {
    const std::int64_t first = static_cast<std::int64_t>(g) * batch_;
    targets_.push_back(teacher_->accurate(taps_.from(alignment_.teacher_after, first)));
  }
  taps_.clear();
}

std::vector<Var> TeacherAlignment::operator()(Tape& tape, const StepView& step,
                                              const Tensor& losses) {
  const Tensor of_rows = losses.slice(0, 1).reshaped({losses.shape[1]});
  std::vector<Var> means;  // a sum of them would have the type of activations
  for (std::size_t g = 0; g < shares_.size(); ++g) {
    const std::int64_t first = static_cast<std::int64_t>(g) * batch_, last = first + batch_;
    const Var tokens = grouped() ? step.taps.from(alignment_.after, first)
                                 : step.taps.tokens(tape, alignment_.after, batch_);
    const Var predicted = predict(tape, tokens);
    const TokenLossInputs inputs{targets_[g],
                                 step.inputs.tensor(factors_).slice(first, last),
                                 step.inputs.tensor(weights_),
                                 {alignment_.distance, predicted.shape()[2], alignment_.beta}};
    means.push_back(token_loss(tape, predicted, inputs, of_rows.slice(first, last)));
  }
  return means;
}

}  // namespace edt
