#include "model/auxiliary/flop_target.h"

#include "core/base/error.h"
#include "model/blocks/unit_gates.h"

namespace edt {
namespace {

constexpr std::int64_t kOpenSteps = 100;  // in which all products are asked for, as published

}  // namespace

void check_flop_target(const ModelConfig& model, const AuxiliaryConfig& config,
                       const ObjectiveConfig& objective) {
  const double target = model.common().gates.target;
  require<UsageError>(!config.sparsity, "dynamic",
                      "dynamic.target is {}, and prune.target {}: a unit has a mask or a gate",
                      target, config.sparsity ? config.sparsity->rules.target : 0);
  require<UsageError>(!objective.shared_noise, "dynamic",
                      "dynamic.target is {}, and train.shared-noise is on: gates tell the passes "
                      "apart from the first block on",
                      target);
}

double gated_products(const ModelConfig& model) {
  double products = 0;
  for (std::int64_t block = 0; block < model.blocks(); ++block) {
    const TokenSite site = model.site_after(block + 1, "block");
    const auto units = model.units_of(block);
    EDT_ASSERT(units.has_value());
    const GateCosts costs = GateCosts::of(*units, site.grid.tokens(), site.width);
    products += costs.attention + costs.mlp;
  }
  return products;
}

double share_asked(const FlopTargetConfig& config, std::int64_t step) {
  if (step >= config.warmup) return config.target;
  if (step < kOpenSteps) return 1;
  return 1 - (1 - config.target) * static_cast<double>(step) / static_cast<double>(config.warmup);
}

FlopTarget::FlopTarget(const FlopTargetConfig& target, const ModelConfig& config, Device& device)
    : target_(target),
      device_(device),
      terms_{{.name = "flop_share", .weight = target.weight, .beside = true}} {
  products_ = gated_products(config);
  for (std::int64_t block = 0; block < config.blocks(); ++block) {
    const TokenSite site = config.site_after(block + 1, "block");
    draws_each_ += 2 * (config.units_of(block)->heads - 1) + site.grid.tokens();
  }
}

void FlopTarget::add_inputs(InputBuffers& inputs, std::int64_t batch, std::int64_t) {
  batch_ = batch;
  asked_ = inputs.add({1}, DType::kFloat32);
  draws_ = {nullptr, {batch, draws_each_}, DType::kFloat32};
  memory_ = Block(device_.memory(), draws_.bytes());
  draws_.data = memory_.data();
}

void FlopTarget::fill(StepKey key, const MicroBatch&, InputBuffers& inputs) {
  inputs.host<float>(asked_)[0] = static_cast<float>(share_asked(target_, key.step));
}

void FlopTarget::draw(Backend& backend, StepKey key, const Tensor& positions) {
  backend.random_logistic({key.seed, random::Purpose::kGates, key.step, 0}, positions, draws_);
}

std::vector<Var> FlopTarget::operator()(Tape& tape, const StepView& step, const Tensor& losses) {
  std::vector<GatedBlock> blocks = record_.blocks();
  for (GatedBlock& block : blocks) {
    block.attention /= products_;
    block.mlp /= products_;
  }
  const Var share = unit_share(tape, blocks, batch_);
  const Tensor rows = losses.reshaped({losses.elements()}).slice(0, batch_);
  return {share_penalty(tape, share, step.inputs.tensor(asked_), rows)};
}

}  // namespace edt
