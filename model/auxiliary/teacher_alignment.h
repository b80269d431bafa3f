// SRA (Jiang et al., arXiv 2505.02831): tokens behind an early block are to match, through a head,
// those behind a later block of the moving average of the same network, which sees the picture with
// less noise. With train.dual-time as its successor (arXiv 2607.02508): group by group.
#pragma once

#include <memory>

#include "model/auxiliary/auxiliary_config.h"
#include "model/auxiliary/head.h"
#include "model/training/teacher.h"

namespace edt {

// Whether the two blocks have the same tokens; UsageError names both.
void check_teacher(const TeacherAlignmentConfig& config, const ModelConfig& model);

class TeacherAlignment final : public AuxiliaryLoss {
 public:
  static constexpr const char* kPart = "align.teacher";

  // Adds the head to `model`, which is that of `config`.
  TeacherAlignment(const TeacherAlignmentConfig& alignment, const ModelConfig& config,
                   const ObjectiveConfig& objective, Model& model,
                   std::shared_ptr<Teacher> teacher);

  const std::vector<LossTerm>& terms() const override { return terms_; }
  std::vector<std::int64_t> taps() const override { return {alignment_.after}; }
  Teacher* teacher() override { return teacher_.get(); }
  void add_inputs(InputBuffers& inputs, std::int64_t batch, std::int64_t passes) override;
  std::int64_t rows() const override { return batch_; }
  void fill(StepKey key, const MicroBatch& batch, InputBuffers& inputs) override;
  void before(Tape&, const StepView& step) override;
  std::vector<Var> operator()(Tape& tape, const StepView& step, const Tensor& losses) override;
  void after() override { targets_.clear(); }

  // What fill() does with the times that it has drawn: of what the teacher sees, group by group;
  // labels and weights are of the batch.
  void set(InputBuffers& inputs, std::span<const double> times,
           std::span<const std::int32_t> labels, std::span<const float> weights);
  // Of the last before(), by group.
  std::span<const Var> targets() const { return targets_; }
  // What the head makes of tokens.
  Var predict(Tape& tape, const Var& tokens) const { return head_(tape, tokens); }

 private:
  bool grouped() const { return shares_.size() > 1; }

  TeacherAlignmentConfig alignment_;
  const Process& process_;
  MlpHead head_;
  std::shared_ptr<Teacher> teacher_;
  std::vector<LossTerm> terms_;
  std::vector<double> shares_{1};  // of a picture's tokens, by group
  std::int64_t batch_ = 0;
  std::size_t told_ = 0, scales_ = 0, labels_ = 0, weights_ = 0, factors_ = 0;
  Taps taps_;
  std::vector<Var> targets_;  // by group, in accurate_dtype: what the head is to give
};

// The time that the teacher sees instead of `t`: by up to `interval` nearer to data, as `u` in
// [0, 1) says.
double teacher_time(const Process& process, double t, double interval, double u);

}  // namespace edt
