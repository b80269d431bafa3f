#include "core/ops/token_convolution.h"

#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {
namespace {

// f(token that reads, place of the kernel, token that is read), the grid of the former having that
// stride; what lies outside is zero.
template <class F>
void for_each_tap(const TokenGrid& grid, std::int64_t stride, F f) {
  const TokenGrid to = strided(grid, stride);
  for (std::int64_t token = 0; token < to.tokens(); ++token) {
    for (std::int64_t tap = 0; tap < kTaps; ++tap) {
      const std::int64_t row = token / to.columns * stride + tap / 3 - 1;
      const std::int64_t column = token % to.columns * stride + tap % 3 - 1;
      if (row < 0 || row >= grid.rows || column < 0 || column >= grid.columns) continue;
      f(token, tap, row * grid.columns + column);
    }
  }
}

}  // namespace

void ReferenceBackend::gather_taps_forward(T z, T bias, Grid grid, T y) {
  const std::int64_t tokens = y.shape[1], n = y.shape[2];
  const Doubles in = load(z), added = load(bias);
  Doubles out(static_cast<std::size_t>(y.elements()));
  for (std::int64_t i = 0; i < y.elements(); ++i) out[i] = added[i % n];
  for (std::int64_t b = 0; b < y.shape[0]; ++b) {
    for_each_tap(grid, 1, [&](auto to, auto tap, auto from) {
      for (std::int64_t c = 0; c < n; ++c) {
        out[(b * tokens + to) * n + c] += in[((b * tokens + from) * kTaps + tap) * n + c];
      }
    });
  }
  store(out, y);
}

void ReferenceBackend::gather_taps_backward(T dy, Grid grid, T dz) {
  const std::int64_t tokens = dy.shape[1], n = dy.shape[2];
  const Doubles d = load(dy);
  Doubles out(static_cast<std::size_t>(dz.elements()), 0.0);
  for (std::int64_t b = 0; b < dy.shape[0]; ++b) {
    for_each_tap(grid, 1, [&](auto to, auto tap, auto from) {
      for (std::int64_t c = 0; c < n; ++c) {
        out[((b * tokens + from) * kTaps + tap) * n + c] = d[(b * tokens + to) * n + c];
      }
    });
  }
  store(out, dz);
}

void ReferenceBackend::depthwise_forward(T x, T weight, T bias, Grid grid, std::int64_t stride,
                                         T y) {
  const std::int64_t from_tokens = x.shape[1], to_tokens = y.shape[1], n = y.shape[2];
  const Doubles in = load(x), w = load(weight), added = load(bias);
  Doubles out(static_cast<std::size_t>(y.elements()));
  for (std::int64_t i = 0; i < y.elements(); ++i) out[i] = added[i % n];
  for (std::int64_t b = 0; b < y.shape[0]; ++b) {
    for_each_tap(grid, stride, [&](auto to, auto tap, auto from) {
      for (std::int64_t c = 0; c < n; ++c) {
        out[(b * to_tokens + to) * n + c] +=
            w[c * kTaps + tap] * in[(b * from_tokens + from) * n + c];
      }
    });
  }
  store(out, y);
}

// dx = w dy, dw = dy x, db = dy, each summed over where it was used.
void ReferenceBackend::depthwise_backward(T dy, T x, T weight, Grid grid, std::int64_t stride, G dx,
                                          G dweight, G dbias) {
  const std::int64_t from_tokens = x.shape[1], to_tokens = dy.shape[1], n = dy.shape[2];
  const Doubles d = load(dy), in = load(x), w = load(weight);
  Doubles din(in.size(), 0.0), dw(w.size(), 0.0), db(static_cast<std::size_t>(n), 0.0);
  for (std::int64_t i = 0; i < dy.elements(); ++i) db[i % n] += d[i];
  for (std::int64_t b = 0; b < dy.shape[0]; ++b) {
    for_each_tap(grid, stride, [&](auto to, auto tap, auto from) {
      for (std::int64_t c = 0; c < n; ++c) {
        const std::int64_t at = (b * from_tokens + from) * n + c;
        const double arrives = d[(b * to_tokens + to) * n + c];
        din[at] += w[c * kTaps + tap] * arrives;
        dw[c * kTaps + tap] += arrives * in[at];
      }
    });
  }
  store(din, dx);
  store(dw, dweight);
  store(db, dbias);
}

}  // namespace edt
