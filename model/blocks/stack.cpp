#include "model/blocks/stack.h"

#include <optional>
#include <utility>

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
  const std::int64_t rows = condition.shape()[0];
  if (joins_norms(streams, rows, pass)) {
    return run_joined(tape, count, modulation, pass, streams.front());
  }
  for (std::size_t i = 0; i < count; ++i) {
    const BlockShare share = share_of(tape, i, modulation, rows, pass);
    EDT_ASSERT(!blocks[i].gates || streams.size() == 1);
    for (Stream& stream : streams) run_block(tape, i, share, pass, stream);
  }
}

BlockStack::BlockShare BlockStack::share_of(Tape& tape, std::size_t i,
                                            const StageModulation& modulation, std::int64_t rows,
                                            const BlockPass& pass) const {
  BlockShare share{modulation.chunks(tape, i), blocks[i].factors(tape), {}};
  if (blocks[i].gates) {
    share.gates = open_gates(tape, blocks[i], rows, pass);
    share.factors = {share.gates.heads, share.gates.hidden};
  }
  return share;
}

bool BlockStack::joins_norms(std::span<const Stream> streams, std::int64_t rows,
                             const BlockPass& pass) const {
  const Stream& stream = streams.front();
  return streams.size() == 1 && stream.x.shape()[0] == rows && !stream.visible.ids.defined() &&
         pass.recompute != Recompute::kFull && pass.hooks.reuse == nullptr &&
         blocks.front().begins_with_norm();
}

void BlockStack::run_joined(Tape& tape, std::size_t count, const StageModulation& modulation,
                            const BlockPass& pass, Stream& stream) const {
  const std::int64_t rows = stream.x.shape()[0];
  BlockShare share = share_of(tape, 0, modulation, rows, pass);
  Var normed;
  for (std::size_t i = 0; i < count; ++i) {
    const OpenResidual end = blocks[i].open(tape, stream.x, std::exchange(normed, {}), share.chunks,
                                            inputs_of(i, share, pass, stream), pass.recompute);
    stream.x = {};  // the residual has its own by now
    if (i + 1 < count) {
      // Only here: the gradient of its modulation is final when that of the block is.
      share = share_of(tape, i + 1, modulation, rows, pass);
      GateNorm next = blocks[i + 1].close_before(tape, end, share.chunks);
      stream.x = std::move(next.sum);
      normed = std::move(next.normed);
    } else {
      stream.x = end.close(tape);
    }
    finish_block(i, pass, stream);
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

BlockInputs BlockStack::inputs_of(std::size_t i, const BlockShare& share, const BlockPass& pass,
                                  const Stream& stream) const {
  return {.visible = stream.visible,
          .skip = skips == SkipUse::kTaken ? stream.skips.back() : Var{},
          .rotation = stream.rotation,
          .text = stream.text,
          .factors = share.factors,
          .gates = share.gates,
          .hooks = pass.hooks,
          .number = first + static_cast<std::int64_t>(i)};
}

void BlockStack::finish_block(std::size_t i, const BlockPass& pass, Stream& stream) const {
  if (pass.hooks.taps != nullptr) {
    pass.hooks.taps->offer(first + static_cast<std::int64_t>(i) + 1, stream.first_row, stream.x);
  }
  if (skips == SkipUse::kTaken) stream.skips.pop_back();
  if (skips == SkipUse::kKept) stream.skips.push_back(stream.x);
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
  BlockInputs inputs = inputs_of(i, share, pass, stream);
  NarrowBlocks* const narrow = pass.hooks.narrow;
  if (narrow != nullptr && blocks[i].gates) {
    const TransformerBlock& less = narrow->block(inputs.number, blocks[i], inputs.factors);
    inputs.factors = {};
    stream.x = less(tape, stream.x, own, inputs, pass.recompute);
  } else {
    stream.x = blocks[i](tape, stream.x, own, inputs, pass.recompute);
  }
  finish_block(i, pass, stream);
}

}  // namespace edt
