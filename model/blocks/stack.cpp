#include "model/blocks/stack.h"

#include <optional>

#include "core/ops/rows.h"
#include "model/blocks/narrow_blocks.h"

namespace edt {
namespace {

bool share_one(std::span<const TransformerBlock> blocks) {
  return blocks.front().shares_modulation;
}

std::vector<LinearsAhead::Map> projections_of(std::span<const TransformerBlock> blocks) {
  std::vector<LinearsAhead::Map> maps;
  if (share_one(blocks)) return maps;
  for (const TransformerBlock& block : blocks) {
    maps.push_back({block.modulation.linear.weight, block.modulation.linear.bias});
  }
  return maps;
}

}  // namespace

StageModulation::StageModulation(Tape& tape, std::span<const TransformerBlock> blocks,
                                 const Var& condition)
    : blocks_(blocks), projections_(tape, condition, projections_of(blocks)) {
  if (share_one(blocks)) shared_ = blocks.front().modulation(tape, condition);
}

Var StageModulation::chunks(Tape& tape, std::size_t i) const {
  const TransformerBlock& block = blocks_[i];
  return shared_ ? block.tables(tape, shared_)
                 : block.modulation.gather(tape, projections_.take(tape, i));
}

void BlockStack::operator()(Tape& tape, std::span<Stream> streams, const Var& condition,
                            const BlockPass& pass) const {
  const Taps* const taps = pass.hooks.taps;
  const std::size_t count = taps == nullptr ? blocks.size() : taps->needed(first, blocks.size());
  if (count == 0) return;
  const StageModulation modulation(tape, blocks.first(count), condition);
  for (std::size_t i = 0; i < count; ++i) {
    BlockShare share{modulation.chunks(tape, i), blocks[i].factors(tape), {}};
    if (blocks[i].gates) {
      EDT_ASSERT(streams.size() == 1);
      share.gates = open_gates(tape, blocks[i], condition.shape()[0], pass);
      share.factors = {share.gates.heads, share.gates.hidden};
    }
    for (Stream& stream : streams) run_block(tape, i, share, pass, stream);
  }
}

UnitGates::Pass BlockStack::open_gates(Tape& tape, const TransformerBlock& block, std::int64_t rows,
                                       const BlockPass& pass) const {
  EDT_ASSERT(pass.recompute != Recompute::kFull);  // the FLOP term holds what blocks decide
  return block.gates->begin(tape, pass.time, rows, pass.hooks.gates);
}

std::vector<Stream> split_groups(Tape& tape, const Var& x, const TextTokens& text,
                                 std::span<const VisibleTokens> groups) {
  std::vector<Stream> streams;
  const std::int64_t batch = x.shape()[0] / static_cast<std::int64_t>(groups.size());
  for (const VisibleTokens& group : groups) {
    const auto first = static_cast<std::int64_t>(streams.size()) * batch;
    const Var rows = take_rows(tape, x, first, first + batch);
    streams.push_back({.x = gather_tokens(tape, rows, group),
                       .skips = {},
                       .first_row = first,
                       .visible = group,
                       .most_visible = group.ids.shape[1],
                       .text = text.rows(tape, first, first + batch)});
  }
  return streams;
}

std::vector<Var> finish_groups(Tape& tape, std::span<Stream> streams, const Var& condition,
                               const FinalLayer& final_layer, const Var& embedded) {
  std::vector<Var> outputs;
  for (Stream& stream : streams) {
    const std::int64_t rows = stream.x.shape()[0];
    const auto own = [&](const Var& of_all) {
      return take_rows(tape, of_all, stream.first_row, stream.first_row + rows);
    };
    outputs.push_back(
        final_layer(tape, stream.x, own(condition), embedded ? own(embedded) : Var{}));
    stream.x = {};
  }
  return outputs;
}

Var BlockStack::operator()(Tape& tape, Var x, const Var& condition, const TextTokens& text,
                           const BlockPass& pass) const {
  Stream stream{.x = std::move(x), .skips = {}, .text = text};
  (*this)(tape, std::span(&stream, 1), condition, pass);
  return std::move(stream.x);
}

void BlockStack::run_block(Tape& tape, std::size_t i, const BlockShare& share,
                           const BlockPass& pass, Stream& stream) const {
  const std::int64_t rows = stream.x.shape()[0];
  const Var& chunks = share.chunks;
  const bool has_all = rows == chunks.shape()[0];
  const Var own =
      has_all ? chunks : take_rows(tape, chunks, stream.first_row, stream.first_row + rows);
  std::optional<Tape::Capacity> capacity;  // where their number varies
  if (stream.visible.ids.defined() && stream.most_visible != stream.visible.ids.shape[1]) {
    capacity.emplace(tape, stream.most_visible, stream.visible.ids.shape[1]);
  }
  BlockInputs inputs{.visible = stream.visible,
                     .skip = {},
                     .rotation = stream.rotation,
                     .text = stream.text,
                     .factors = share.factors,
                     .gates = share.gates,
                     .hooks = pass.hooks,
                     .number = first + static_cast<std::int64_t>(i)};
  if (skips == SkipUse::kTaken) inputs.skip = stream.skips.back();
  NarrowBlocks* const narrow = pass.hooks.narrow;
  if (narrow != nullptr && blocks[i].gates) {
    const TransformerBlock& less = narrow->block(inputs.number, blocks[i], inputs.factors);
    inputs.factors = {};
    stream.x = less(tape, stream.x, own, inputs, pass.recompute);
  } else {
    stream.x = blocks[i](tape, stream.x, own, inputs, pass.recompute);
  }
  if (pass.hooks.taps != nullptr) {
    pass.hooks.taps->offer(inputs.number + 1, stream.first_row, stream.x);
  }
  if (skips == SkipUse::kTaken) stream.skips.pop_back();
  if (skips == SkipUse::kKept) stream.skips.push_back(stream.x);
}

}  // namespace edt
