#include "model/auxiliary/sparsity.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/ops/unit_mask.h"

namespace edt {
namespace {

std::string reason_of(const SparsityConfig& config) {
  return fmt::format("prune.target is {}", config.rules.target);
}

UnitDecisions decisions_of(const SparsityConfig& config, const ModelConfig& model) {
  return {unit_layers(model, config.masks()), config.macs, config.rules};
}

}  // namespace

void check_sparsity(const SparsityConfig& config, const AuxiliaryConfig& others,
                    const ModelConfig& model) {
  check_prunable(model, config.masks(), reason_of(config));
  require<UsageError>(!others.needs_teacher(), "prune",
                      "{}, and align.with names {}: the moving average that it asks has no masks",
                      reason_of(config), others.teacher ? "teacher" : "prototypes");
  const double least = decisions_of(config, model).least_share();
  require<UsageError>(
      config.rules.target >= least, "prune",
      "prune.target is {}, and {:.4f} of the products of {} stay at the least: prune.least is {}, "
      "and prune.units {}",
      config.rules.target, least, model.name(), config.rules.least,
      config.heads && config.hidden ? "heads,hidden"
      : config.heads                ? "heads"
                                    : "hidden");
}

Sparsity::Sparsity(const SparsityConfig& sparsity, const ModelConfig& config, Model& model)
    : sparsity_(sparsity),
      masks_(*model.unit_masks()),
      decisions_(decisions_of(sparsity, config)),
      terms_{{.name = "sparsity", .weight = sparsity.weight, .beside = true}} {
  for (const UnitLayer& layer : decisions_.layers()) units_ += layer.units;
  EDT_ASSERT(masks_.size() == decisions_.layers().size());
  send_bands();
}

void Sparsity::send_bands() {
  for (std::size_t i = 0; i < masks_.size(); ++i) masks_.set_band(i, decisions_.band(i));
}

std::vector<Var> Sparsity::operator()(Tape& tape, const StepView&, const Tensor& losses) {
  const Tensor rows = losses.reshaped({losses.elements()}).slice(0, batch_);
  tape.device().zero(rows);
  std::vector<Var> sums;
  std::int64_t first = 0;
  for (std::size_t i = 0; i < masks_.size(); ++i) {
    const Var& weights = masks_.weights(i);
    const std::int64_t units = masks_.units(i);
    sums.push_back(band_sparsity(tape, weights, masks_.band(i), sparsity_.form, rows));
    tape.device().copy(weights.tensor().reshaped({units}), statistics_.slice(first, first + units));
    first += units;
  }
  return sums;
}

// The weights are the same in every micro-batch.
void Sparsity::learn(std::span<const float> rows) {
  const bool was_done = decisions_.done();
  const double passed = static_cast<double>(step_ + 1) / static_cast<double>(sparsity_.decided_by);
  if (was_done || !decisions_.advance(passed, rows.first(static_cast<std::size_t>(units_)))) {
    return;
  }
  send_bands();
  if (!decisions_.done()) return;
  log::info(
      "step {}: it is decided what is pruned; {:.4f} of the products are left, prune.target is "
      "{}",
      step_ + 1, decisions_.share(), sparsity_.rules.target);
}

void Sparsity::restore(std::span<const float> state) {
  decisions_.restore(state);
  send_bands();
}

}  // namespace edt
