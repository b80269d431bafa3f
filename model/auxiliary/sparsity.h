// Learns which heads and hidden units a network can do without (DMAD, Li et al., arXiv 2011.08382):
// masks with a bound that falls, and a loss that pulls the weights of what costs many products
// down. What becomes of units: model/pruning/decisions.h; where they are masked:
// model/unit_masks.h.
#pragma once

#include "model/auxiliary/auxiliary_config.h"

namespace edt {

// Whether units of this model can be pruned in such steps; UsageError names option and values.
void check_sparsity(const SparsityConfig& config, const AuxiliaryConfig& others,
                    const ModelConfig& model);

class Sparsity final : public AuxiliaryLoss {
 public:
  // `model` has masks: config.masks(). Throws what check_sparsity() does.
  Sparsity(const SparsityConfig& sparsity, const ModelConfig& config, Model& model);

  const std::vector<LossTerm>& terms() const override { return terms_; }
  void add_inputs(InputBuffers&, std::int64_t batch, std::int64_t) override { batch_ = batch; }
  std::int64_t rows() const override { return batch_; }
  void fill(StepKey key, const MicroBatch&, InputBuffers&) override { step_ = key.step; }
  void before(Tape&, const StepView& step) override { statistics_ = step.statistics; }
  std::vector<Var> operator()(Tape& tape, const StepView& step, const Tensor& losses) override;
  void after() override { masks_.clear(); }

  // The weights of all masks, from which each step all ranks decide the same.
  std::int64_t statistics() const override { return units_; }
  void learn(std::span<const float> rows) override;
  std::vector<float> state() const override { return decisions_.state(); }
  void restore(std::span<const float> state) override;

  const UnitDecisions& decisions() const { return decisions_; }

 private:
  void send_bands();

  SparsityConfig sparsity_;
  UnitMasks& masks_;
  UnitDecisions decisions_;
  std::vector<LossTerm> terms_;
  std::int64_t units_ = 0, batch_ = 0;
  std::uint32_t step_ = 0;
  Tensor statistics_;
};

}  // namespace edt
