#include "model/hooks.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/ops/rows.h"

namespace edt {

void Taps::offer(std::int64_t after, std::int64_t first_row, const Var& tokens) {
  if (std::ranges::find(wanted_, after) == wanted_.end()) return;
  kept_.push_back({after, first_row, tokens});
}

Var Taps::tokens(Tape& tape, std::int64_t after, std::int64_t rows) const {
  const auto found = std::ranges::find_if(
      kept_, [&](const Kept& kept) { return kept.after == after && kept.first_row == 0; });
  const std::int64_t there = found == kept_.end() ? 0 : found->tokens.shape()[0];
  require(there >= rows, "taps", "{} rows after block {} are asked for, there are {}", rows, after,
          there);
  return there == rows ? found->tokens : take_rows(tape, found->tokens, 0, rows);
}

}  // namespace edt
