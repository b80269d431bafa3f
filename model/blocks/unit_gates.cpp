#include "model/blocks/unit_gates.h"

#include "core/ops/rows.h"

namespace edt {
namespace {

constexpr std::int64_t kTokenNarrowing = 16;  // of the token head's width, as published

Linear router(ParameterList& list, const std::string& prefix, std::int64_t out, std::int64_t in,
              double bias) {
  return {&list.add(prefix + ".weight", {out, in}, Init::kXavierUniform),
          &list.add_drawn(prefix + ".bias", {out}, Init::kValue, bias)};
}

}  // namespace

GateCosts GateCosts::of(const BlockUnits& units, std::int64_t tokens, std::int64_t width) {
  const auto t = static_cast<double>(tokens), d = static_cast<double>(width),
             inner = static_cast<double>(units.heads * units.head_size);
  return {4 * t * d * inner + 2 * t * t * inner,
          static_cast<double>(units.hidden_maps * units.hidden) * t * d};
}

UnitGates UnitGates::make(ParameterList& list, const std::string& prefix, const Sizes& sizes,
                          const GateConfig& config) {
  const ParameterList::Part part(list, "dynamic");
  const std::int64_t others = sizes.units.heads - 1, width = sizes.width,
                     narrow = std::max<std::int64_t>(1, width / kTokenNarrowing);
  UnitGates made;
  made.heads =
      router(list, prefix + ".attn_rate.router", others, sizes.condition, config.router_bias);
  made.hidden =
      router(list, prefix + ".mlp_rate.router", others, sizes.condition, config.router_bias);
  made.token_first = router(list, prefix + ".token_selection.mlp_head.0", narrow, width, 0);
  made.token_last =
      router(list, prefix + ".token_selection.mlp_head.2", 1, narrow, config.token_bias);
  made.tokens = sizes.tokens;
  made.costs = GateCosts::of(sizes.units, sizes.tokens, width);
  return made;
}

std::int64_t UnitGates::draws() const {
  return heads.weight->shape[0] + tokens + hidden.weight->shape[0];
}

UnitGates::Pass UnitGates::begin(Tape& tape, const Var& time, std::int64_t rows,
                                 GateRecord* record) const {
  Pass pass{.heads = {}, .hidden = {}, .token_noise = {}, .record = record};
  GateNoise noise;
  if (record != nullptr) noise = record->take(draws());
  pass.heads = unit_gate(tape, heads(tape, time), noise, 1, rows);
  noise.first += heads.weight->shape[0];
  pass.token_noise = noise;
  noise.first += tokens;
  pass.hidden = unit_gate(tape, hidden(tape, time), noise, 1, rows);
  return pass;
}

Var UnitGates::token_gates(Tape& tape, const Var& x, const Pass& pass) const {
  const std::int64_t rows = x.shape()[0],
                     gated = pass.record == nullptr ? rows : pass.record->rows();
  const Var seen = gated == rows ? x : take_rows(tape, x, 0, gated);
  const Var logits = token_last(tape, relu(tape, token_first(tape, seen)));
  Var open = unit_gate(tape, logits, pass.token_noise, 0, rows);
  if (pass.record != nullptr) {
    pass.record->add({pass.heads, pass.hidden, open, costs.attention, costs.mlp});
  }
  return open;
}

}  // namespace edt
