// Distillation from a finished network: what it gives for the same noised latents, and where its
// features are large (attention transfer, arXiv 1612.03928, as DMAD fine-tunes with, arXiv
// 2011.08382). Its weights are read once and stay.
#pragma once

#include "model/auxiliary/auxiliary_config.h"
#include "model/training/teacher.h"
#include "parallel/sharding/flat_layout.h"

namespace edt {

// Whether the teacher is one for steps of this model; UsageError names option and both values.
void check_distillation(const DistillationConfig& config, const ModelConfig& model,
                        const ObjectiveConfig& objective);

class Distillation final : public AuxiliaryLoss {
 public:
  Distillation(const DistillationConfig& config, const ModelConfig& model, const ModelPlace& place);

  const std::vector<LossTerm>& terms() const override { return terms_; }
  std::vector<std::int64_t> taps() const override { return config_.after; }
  std::size_t weight_bytes() const override { return memory_.bytes(); }
  void begin() override;
  void add_inputs(InputBuffers& inputs, std::int64_t batch, std::int64_t passes) override;
  std::int64_t rows() const override { return rows_; }
  void fill(StepKey key, const MicroBatch& batch, InputBuffers& inputs) override;
  void before(Tape& student, const StepView& step) override;
  std::vector<Var> operator()(Tape& tape, const StepView& step, const Tensor& losses) override;
  void after() override;

 private:
  DistillationConfig config_;
  Device& device_;
  Teacher teacher_;
  FlatLayout layout_;  // of its weights
  Block memory_;
  Tensor weights_;
  std::vector<LossTerm> terms_;
  std::int64_t rows_ = 0;
  std::size_t importance_ = 0, ones_ = 0;
  Taps taps_;                 // of the teacher
  std::vector<Var> targets_;  // of each term, in accurate_dtype
};

}  // namespace edt
