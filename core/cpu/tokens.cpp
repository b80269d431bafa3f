// Rows of tokens copied, filled and summed. Sums over samples run in their order, so they do not
// depend on the threads.
#include "core/cpu/elementwise.h"
#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"

namespace edt {
namespace {

// f(row of a [B, T, D] tensor, row in [B, K, D] of the visible token there, -1 where it was
// dropped)
template <class F>
void for_each_place(const VisibleTokens& visible, F f) {
  const auto* places = visible.places.as<std::int32_t>();
  const std::int64_t tokens = visible.places.shape[1], count = visible.ids.shape[1];
  parallel_ranges(visible.places.elements(), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      f(row, places[row] < 0 ? -1 : row / tokens * count + places[row]);
    }
  });
}

// f(row in [B, K, D], row in [B, T, D] where it stands)
template <class F>
void for_each_visible(const VisibleTokens& visible, F f) {
  const auto* ids = visible.ids.as<std::int32_t>();
  const std::int64_t tokens = visible.places.shape[1], count = visible.ids.shape[1];
  parallel_ranges(visible.ids.elements(), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) f(row, row / count * tokens + ids[row]);
  });
}

// Tokens of `width` elements.
struct Rows {
  Span span;
  std::int64_t width;

  Rows(const Tensor& t, std::int64_t row_width) : span{t.data, t.dtype}, width(row_width) {}
  Span operator[](std::int64_t row) const { return span.from(row * width); }
};

}  // namespace

void CpuBackend::gather_tokens_forward(T x, Visible visible, T y) {
  const std::int64_t n = x.shape[2];
  const Rows from(x, n), to(y, n);
  for_each_visible(visible, [&](auto row, auto stands) { convert(from[stands], to[row], n); });
}

void CpuBackend::gather_tokens_backward(T dy, Visible visible, G dx) {
  if (!dx.wanted()) return;
  const std::int64_t n = dy.shape[2];
  const Rows from(dy, n), to(dx.tensor, n);
  for_each_place(visible, [&](auto row, auto place) {
    if (place >= 0) {
      convert(from[place], to[row], n, dx.accumulate);
    } else if (!dx.accumulate) {
      edt::fill(to[row], n, 0.0f);
    }
  });
}

void CpuBackend::restore_tokens_forward(T x, Visible visible, T token, T y) {
  const std::int64_t n = x.shape[2];
  const Rows from(x, n), to(y, n);
  const Span fill{token.data, token.dtype};
  for_each_place(
      visible, [&](auto row, auto place) { convert(place >= 0 ? from[place] : fill, to[row], n); });
}

// The learnt token's gradient: blocks of columns over the threads, rows in order.
void CpuBackend::restore_tokens_backward(T dy, Visible visible, G dx, G dtoken) {
  const std::int64_t n = dy.shape[2];
  const Rows from(dy, n);
  if (dx.wanted()) {
    const Rows to(dx.tensor, n);
    for_each_visible(
        visible, [&](auto row, auto stands) { convert(from[stands], to[row], n, dx.accumulate); });
  }
  if (!dtoken.wanted()) return;
  if (!dtoken.accumulate) zero(dtoken.tensor);
  const auto* places = visible.places.as<std::int32_t>();
  const Span sum{dtoken.tensor.data, dtoken.tensor.dtype};
  parallel_ranges(n, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = 0; row < visible.places.elements(); ++row) {
      if (places[row] < 0) convert(from[row].from(begin), sum.from(begin), end - begin, true);
    }
  });
}

void CpuBackend::select_tokens_forward(T visible_rows, T dropped_rows, Visible visible, T y) {
  const std::int64_t n = y.shape[2];
  const Rows a(visible_rows, n), b(dropped_rows, n), to(y, n);
  for_each_place(visible,
                 [&](auto row, auto place) { convert(place >= 0 ? a[row] : b[row], to[row], n); });
}

void CpuBackend::select_tokens_backward(T dy, Visible visible, G dvisible_rows, G ddropped_rows) {
  const std::int64_t n = dy.shape[2];
  const Rows from(dy, n);
  const auto put = [&](G to, std::int64_t row, bool selected) {
    if (!to.wanted()) return;
    const Span at = Rows(to.tensor, n)[row];
    if (selected) {
      convert(from[row], at, n, to.accumulate);
    } else if (!to.accumulate) {
      edt::fill(at, n, 0.0f);
    }
  };
  for_each_place(visible, [&](auto row, auto place) {
    put(dvisible_rows, row, place >= 0);
    put(ddropped_rows, row, place < 0);
  });
}

void CpuBackend::add_positions_forward(T x, T positions, T y) {
  const std::int64_t tokens = x.shape[1], n = x.shape[2];
  const Rows from(x, n), table(positions, n), to(y, n);
  parallel_ranges(x.shape.rows(), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      edt::add(from[row], table[row % tokens], to[row], n);
    }
  });
}

void CpuBackend::add_positions_backward(T dy, G dpositions) {
  if (!dpositions.wanted()) return;
  const std::int64_t batch = dy.shape[0], tokens = dy.shape[1], n = dy.shape[2];
  const Rows from(dy, n), to(dpositions.tensor, n);
  parallel_ranges(tokens, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t token = begin; token < end; ++token) {
      for (std::int64_t b = 0; b < batch; ++b) {
        convert(from[b * tokens + token], to[token], n, dpositions.accumulate || b > 0);
      }
    }
  });
}

}  // namespace edt
