// Threads share the folded tokens. In one of them a channel's values stand side by side, in the
// fine tokens all channels do: one of both is read or written in steps, within a token's cache
// lines.
#include "core/ops/fold.h"

#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

namespace edt {
namespace {

// f(first element of a fine token, element of its channel 0 in the folded one), for all of them.
template <class F>
void for_each_fine(const Shape& fine, const TokenGrid& grid, std::int64_t side, F f) {
  const std::int64_t channels = fine[2], square = side * side;
  const std::int64_t columns = grid.columns / side, tokens = fine[1] / square;
  parallel_ranges(fine[0] * tokens, 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t folded = begin; folded < end; ++folded) {
      const std::int64_t b = folded / tokens, at = folded % tokens;
      const std::int64_t corner =
          b * fine[1] + at / columns * side * grid.columns + at % columns * side;
      for (std::int64_t i = 0; i < square; ++i) {
        const std::int64_t token = corner + i / side * grid.columns + i % side;
        f(token * channels, folded * channels * square + i);
      }
    }
  });
}

}  // namespace

void CpuBackend::fold_tokens(T x, Grid grid, Int side, G y) {
  if (!y.wanted()) return;
  const std::int64_t channels = x.shape[2], square = side * side;
  with_float_type(x.dtype, [&]<class E>(E) {
    const E* from = x.as<E>();
    E* to = y.tensor.as<E>();
    for_each_fine(x.shape, grid, side, [&](auto i, auto j) {
      for (std::int64_t c = 0; c < channels; ++c) {
        put(to[j + c * square], static_cast<float>(from[i + c]), y.accumulate);
      }
    });
  });
}

void CpuBackend::unfold_tokens(T x, Grid grid, Int side, G y) {
  if (!y.wanted()) return;
  const std::int64_t channels = y.tensor.shape[2], square = side * side;
  with_float_type(x.dtype, [&]<class E>(E) {
    const E* from = x.as<E>();
    E* to = y.tensor.as<E>();
    for_each_fine(y.tensor.shape, grid, side, [&](auto i, auto j) {
      for (std::int64_t c = 0; c < channels; ++c) {
        put(to[i + c], static_cast<float>(from[j + c * square]), y.accumulate);
      }
    });
  });
}

}  // namespace edt
