#include "model/hooks.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/ops/rows.h"

namespace edt {

void Taps::offer(std::int64_t after, std::int64_t first_row, const Var& tokens) {
  if (std::ranges::find(wanted_, after) == wanted_.end()) return;
  kept_.push_back({after, first_row, tokens});
}

const Taps::Kept* Taps::find(std::int64_t after, std::int64_t first_row) const {
  const auto found = std::ranges::find_if(
      kept_, [&](const Kept& kept) { return kept.after == after && kept.first_row == first_row; });
  return found == kept_.end() ? nullptr : &*found;
}

const Var& Taps::from(std::int64_t after, std::int64_t first_row) const {
  const Kept* const found = find(after, first_row);
  require(found != nullptr, "taps", "rows from {} on after block {} are asked for, there are none",
          first_row, after);
  return found->tokens;
}

std::size_t Taps::needed(std::int64_t first, std::size_t count) const {
  if (rest_ == Rest::kComputed) return count;
  const std::int64_t last = *std::ranges::max_element(wanted_);
  return static_cast<std::size_t>(
      std::clamp<std::int64_t>(last - first, 0, static_cast<std::int64_t>(count)));
}

Var Taps::tokens(Tape& tape, std::int64_t after, std::int64_t rows) const {
  const Kept* const found = find(after, 0);
  const std::int64_t there = found == nullptr ? 0 : found->tokens.shape()[0];
  require(there >= rows, "taps", "{} rows after block {} are asked for, there are {}", rows, after,
          there);
  return there == rows ? found->tokens : take_rows(tape, found->tokens, 0, rows);
}

}  // namespace edt
