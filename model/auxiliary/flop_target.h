// Pulls what the gates of a network leave open towards a share of its products (DyDiT, Zhao et al.,
// arXiv 2410.03456): the square of the distance of a micro-batch's mean share to a target that
// falls from all products. What gates are: model/blocks/unit_gates.h.
#pragma once

#include "model/auxiliary/auxiliary_config.h"
#include "model/gate_record.h"

namespace edt {

// Whether such steps can train gates; UsageError names option and values.
void check_flop_target(const ModelConfig& model, const AuxiliaryConfig& config,
                       const ObjectiveConfig& objective);

// The share that is asked for in the step after `step` completed ones: all at first, then less by
// the same each step until the warm-up is over.
double share_asked(const FlopTargetConfig& config, std::int64_t step);

// Products of a picture in all blocks of a model with gates, which may shut them.
double gated_products(const ModelConfig& model);

class FlopTarget final : public AuxiliaryLoss {
 public:
  // `config`: of a model with gates. Draws of a batch lie on `device`.
  FlopTarget(const FlopTargetConfig& target, const ModelConfig& config, Device& device);

  const std::vector<LossTerm>& terms() const override { return terms_; }
  void add_inputs(InputBuffers& inputs, std::int64_t batch, std::int64_t passes) override;
  std::int64_t rows() const override { return batch_; }
  void fill(StepKey key, const MicroBatch& batch, InputBuffers& inputs) override;
  void draw(Backend& backend, StepKey key, const Tensor& positions) override;
  GateRecord* gates() override { return &record_; }
  void before(Tape&, const StepView&) override { record_.begin(draws_, target_.tau); }
  std::vector<Var> operator()(Tape& tape, const StepView& step, const Tensor& losses) override;
  void after() override { record_.clear(); }

 private:
  FlopTargetConfig target_;
  Device& device_;
  std::vector<LossTerm> terms_;
  double products_ = 0;          // gated_products()
  std::int64_t draws_each_ = 0;  // for a sample
  std::int64_t batch_ = 0;
  std::size_t asked_ = 0;  // input [1]
  Block memory_;
  Tensor draws_;  // [batch, draws_each_]
  GateRecord record_;
};

}  // namespace edt
