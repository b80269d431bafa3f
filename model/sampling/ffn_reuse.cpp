#include "model/sampling/ffn_reuse.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"

namespace edt {
namespace {

// A dense step, so many others, and again.
CacheConfig in_turn(int sparse_steps) {
  return {.kind = CacheKind::kTaylor, .interval = sparse_steps + 1, .warmup = 1};
}

}  // namespace

FfnUse& FfnUse::operator+=(const FfnUse& other) {
  dense_units += other.dense_units;
  marked += other.marked;
  tiles += other.tiles;
  marked_tiles += other.marked_tiles;
  macs += other.macs;
  spared += other.spared;
  return *this;
}

FfnReuse::FfnReuse(const FfnReuseConfig& config, Backend& backend)
    : config_(config), backend_(backend), schedule_(in_turn(config.sparse_steps), 0) {
  require<UsageError>(config.sparse_steps >= 0, "sample", "sparse-steps is {}, must be at least 0",
                      config.sparse_steps);
  require<UsageError>(!std::isnan(config.threshold), "sample", "threshold is not a number");
}

void FfnReuse::begin(int steps) {
  schedule_ = CacheSchedule(in_turn(config_.sparse_steps), steps);
  rows_ = 0;
}

void FfnReuse::begin_evaluation(const Evaluation& at, std::int64_t rows) {
  second_ = at.t != at.step_t;
  if (second_) return;
  is_dense_ = schedule_.next(rows != rows_);
  rows_ = rows;
}

bool FfnReuse::is_marked(float activation) const {
  return std::fabs(double{activation}) > config_.threshold;
}

Var FfnReuse::pass(Tape& tape, std::int64_t block, std::int64_t width, const Var& hidden) {
  const Tensor whole = hidden.tensor();
  const Var exact = tape.make(whole.shape, DType::kFloat32);
  std::vector<float> values(static_cast<std::size_t>(whole.elements()));
  backend_.copy(whole, exact.tensor());
  backend_.download(exact.tensor(), values.data());
  const auto at = static_cast<std::size_t>(block);
  if (at >= use_.size()) use_.resize(at + 1);
  FfnUse& use = use_[at];
  Kept& kept = kept_[{second_, block}];
  // Both products of an MLP have so many for each hidden unit.
  const double macs = 2.0 * static_cast<double>(width) * static_cast<double>(values.size());
  use.macs += macs;
  if (is_dense_) {
    keep(values, whole.shape.columns(), kept, use);
    return hidden;
  }
  use.spared += (1 - kept.share) * macs;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!is_marked(kept.dense[i])) values[i] = kept.dense[i];
  }
  Var mixed = tape.make(whole.shape, whole.dtype);
  backend_.upload(values.data(), exact.tensor());
  backend_.copy(exact.tensor(), mixed.tensor());
  return mixed;
}

void FfnReuse::keep(const std::vector<float>& hidden, std::int64_t units, Kept& kept,
                    FfnUse& use) const {
  kept.dense = hidden;
  const auto columns = static_cast<std::size_t>(units);
  const std::size_t tokens = hidden.size() / columns;
  constexpr auto kSide = static_cast<std::size_t>(kTile);
  const std::size_t across = (columns + kSide - 1) / kSide;
  std::vector<bool> tiles((tokens + kSide - 1) / kSide * across);
  std::size_t marked = 0;
  for (std::size_t i = 0; i < hidden.size(); ++i) {
    if (!is_marked(hidden[i])) continue;
    ++marked;
    tiles[i / columns / kSide * across + i % columns / kSide] = true;
  }
  kept.share = static_cast<double>(marked) / static_cast<double>(hidden.size());
  use.dense_units += static_cast<double>(hidden.size());
  use.marked += static_cast<double>(marked);
  use.tiles += static_cast<double>(tiles.size());
  use.marked_tiles += static_cast<double>(std::ranges::count(tiles, true));
}

}  // namespace edt
