// Values are moved: channel c of the token at (y, x) of a square is channel c side^2 + y side + x
// of the folded one.
#include "core/ops/fold.h"

#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {
namespace {

// f(element of the fine tokens, element of the folded ones)
template <class F>
void for_each_folded(const Shape& fine, const TokenGrid& grid, std::int64_t side, F f) {
  const std::int64_t channels = fine[2], square = side * side;
  for (std::int64_t i = 0; i < fine.elements(); ++i) {
    const std::int64_t c = i % channels, token = i / channels % fine[1], b = i / channels / fine[1];
    const std::int64_t row = token / grid.columns, column = token % grid.columns;
    const std::int64_t folded = row / side * (grid.columns / side) + column / side;
    const std::int64_t inside = c * square + row % side * side + column % side;
    f(i, (b * (fine[1] / square) + folded) * channels * square + inside);
  }
}

}  // namespace

void ReferenceBackend::fold_tokens(T x, Grid grid, Int side, G y) {
  const Doubles from = load(x);
  Doubles to(from.size());
  for_each_folded(x.shape, grid, side, [&](auto i, auto j) { to[j] = from[i]; });
  store(to, y);
}

void ReferenceBackend::unfold_tokens(T x, Grid grid, Int side, G y) {
  if (!y.wanted()) return;
  const Doubles from = load(x);
  Doubles to(from.size());
  for_each_folded(y.tensor.shape, grid, side, [&](auto i, auto j) { to[i] = from[j]; });
  store(to, y);
}

}  // namespace edt
