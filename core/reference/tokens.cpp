#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {
namespace {

// f(element of a [B, T, D] tensor, its visible token's element in [B, K, D]), the latter negative
// where the token was dropped.
template <class F>
void for_each_element(const VisibleTokens& visible, std::int64_t width, F f) {
  const Doubles places = load(visible.places);
  const std::int64_t tokens = visible.places.shape[1], count = visible.ids.shape[1];
  for (std::int64_t row = 0; row < visible.places.shape.elements(); ++row) {
    const auto place = static_cast<std::int64_t>(places[row]);
    for (std::int64_t c = 0; c < width; ++c) {
      f(row * width + c, place < 0 ? -1 : (row / tokens * count + place) * width + c);
    }
  }
}

Doubles zeros(std::int64_t count) { return Doubles(static_cast<std::size_t>(count), 0.0); }

}  // namespace

void ReferenceBackend::gather_tokens_forward(T x, Visible visible, T y) {
  const Doubles in = load(x);
  Doubles out = zeros(y.elements());
  for_each_element(visible, x.shape[2], [&](auto i, auto k) {
    if (k >= 0) out[k] = in[i];
  });
  store(out, y);
}

void ReferenceBackend::gather_tokens_backward(T dy, Visible visible, G dx) {
  const Doubles d = load(dy);
  Doubles din = zeros(dx.tensor.elements());
  for_each_element(visible, dy.shape[2], [&](auto i, auto k) {
    if (k >= 0) din[i] = d[k];
  });
  store(din, dx);
}

void ReferenceBackend::restore_tokens_forward(T x, Visible visible, T token, T y) {
  const Doubles in = load(x), fill = load(token);
  Doubles out = zeros(y.elements());
  for_each_element(visible, x.shape[2],
                   [&](auto i, auto k) { out[i] = k >= 0 ? in[k] : fill[i % x.shape[2]]; });
  store(out, y);
}

void ReferenceBackend::restore_tokens_backward(T dy, Visible visible, G dx, G dtoken) {
  const std::int64_t width = dy.shape[2];
  const Doubles d = load(dy);
  Doubles din = zeros(visible.ids.elements() * width), sum = zeros(width);
  for_each_element(visible, width, [&](auto i, auto k) {
    if (k >= 0) {
      din[k] = d[i];
    } else {
      sum[i % width] += d[i];
    }
  });
  store(din, dx);
  store(sum, dtoken);
}

void ReferenceBackend::select_tokens_forward(T visible_rows, T dropped_rows, Visible visible, T y) {
  const Doubles a = load(visible_rows), b = load(dropped_rows);
  Doubles out = zeros(y.elements());
  for_each_element(visible, y.shape[2], [&](auto i, auto k) { out[i] = k >= 0 ? a[i] : b[i]; });
  store(out, y);
}

void ReferenceBackend::select_tokens_backward(T dy, Visible visible, G dvisible_rows,
                                              G ddropped_rows) {
  const Doubles d = load(dy);
  Doubles da = zeros(dy.elements()), db = zeros(dy.elements());
  for_each_element(visible, dy.shape[2], [&](auto i, auto k) { (k >= 0 ? da : db)[i] = d[i]; });
  store(da, dvisible_rows);
  store(db, ddropped_rows);
}

void ReferenceBackend::add_positions_forward(T x, T positions, T y) {
  const Doubles table = load(positions);
  Doubles out = load(x);
  for (std::int64_t i = 0; i < x.elements(); ++i) out[i] += table[i % positions.elements()];
  store(out, y);
}

void ReferenceBackend::add_positions_backward(T dy, G dpositions) {
  const std::int64_t count = dpositions.tensor.elements();
  const Doubles d = load(dy);
  Doubles sum = zeros(count);
  for (std::int64_t i = 0; i < dy.elements(); ++i) sum[i % count] += d[i];
  store(sum, dpositions);
}

}  // namespace edt
