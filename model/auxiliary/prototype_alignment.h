// Self-discrimination after SD-DiT (Zhu et al., arXiv 2403.17004): tokens of the pass that is
// masked are to choose the same prototypes as those of the moving average, which sees the whole
// picture with little noise. The loss is DINO's (arXiv 2104.14294): choices of the teacher are
// centred and sharpened. No code of SD-DiT is published; what is ours: docs/companions.md.
#pragma once

#include <memory>

#include "model/auxiliary/auxiliary_config.h"
#include "model/auxiliary/head.h"
#include "model/training/teacher.h"

namespace edt {

// Whether this model has such tokens in steps of this kind; UsageError names option and values.
void check_prototypes(const PrototypeAlignmentConfig& config, const ModelConfig& model,
                      const ObjectiveConfig& objective);

// From tokens to logits over prototypes: a small network gives points of one length, whose products
// with the prototypes count.
struct PrototypeHead {
  MlpHead points;
  Parameter* prototypes = nullptr;  // [prototypes, width]

  // Parameters of `list`, in the part.
  static PrototypeHead make(ParameterList& list, std::int64_t token_width,
                            const PrototypeAlignmentConfig& config);
  // [B, T, D] -> [B, T, prototypes]; `zeros` [B, 2 * width] in the type of the tape.
  Var operator()(Tape& tape, const Var& tokens, const Tensor& zeros) const;
};

class PrototypeAlignment final : public AuxiliaryLoss {
 public:
  static constexpr const char* kPart = "self-distillation";

  // Adds its head to `model`, which is that of `config`, and to the teacher's, before others do:
  // the moving average has the teacher's parameters in one piece.
  PrototypeAlignment(const PrototypeAlignmentConfig& alignment, const ModelConfig& config,
                     const ObjectiveConfig& objective, const ModelPlace& place, Model& model,
                     std::shared_ptr<Teacher> teacher);

  const std::vector<LossTerm>& terms() const override { return terms_; }
  std::vector<std::int64_t> taps() const override { return {alignment_.after}; }
  Teacher* teacher() override { return teacher_.get(); }
  void add_inputs(InputBuffers& inputs, std::int64_t batch, std::int64_t passes) override;
  std::int64_t rows() const override { return batch_; }
  void fill(StepKey key, const MicroBatch& batch, InputBuffers& inputs) override;
  void before(Tape& student, const StepView& step) override;
  std::vector<Var> operator()(Tape& tape, const StepView& step, const Tensor& losses) override;
  void after() override { target_ = {}; }

  // The mean of the teacher's logits over a step's tokens moves the centre.
  std::int64_t statistics() const override { return alignment_.prototypes; }
  void learn(std::span<const float> rows) override;
  std::vector<float> state() const override { return centre_; }
  void restore(std::span<const float> state) override {
    centre_.assign(state.begin(), state.end());
  }

 private:
  PrototypeAlignmentConfig alignment_;
  const Process& process_;
  const ModelPlace place_;
  bool masked_;  // the student's tokens are those of the masked pass
  std::int64_t tokens_;
  PrototypeHead head_, teachers_;
  std::shared_ptr<Teacher> teacher_;
  std::vector<LossTerm> terms_;
  std::vector<float> centre_;
  std::int64_t batch_ = 0;
  std::size_t told_ = 0, scales_ = 0, weights_ = 0, ones_ = 0, minus_centre_ = 0;
  Block zeros_memory_;
  Tensor zeros_;
  Taps taps_;
  Var target_;
};

}  // namespace edt
