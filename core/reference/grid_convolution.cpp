#include "core/ops/state_space.h"
#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {
namespace {

// f(element of y, of x, of the kernel) for each product.
template <class F>
void for_each_product(const Shape& x, const TokenGrid& grid, std::int64_t outputs, F f) {
  const std::int64_t channels = x[2], directions = outputs / channels;
  for (std::int64_t direction = 0; direction < directions; ++direction) {
    const KernelWay way = KernelWay::of(direction, directions);
    for (std::int64_t to = 0; to < x[0] * grid.tokens(); ++to) {
      const std::int64_t i = to % grid.tokens() / grid.columns, j = to % grid.columns;
      for (std::int64_t cell = 0; cell < grid.tokens(); ++cell) {
        const std::int64_t a = cell / grid.columns, b = cell % grid.columns;
        const std::int64_t row = way.up ? i + a : i - a, column = way.left ? j + b : j - b;
        if (row < 0 || row >= grid.rows || column < 0 || column >= grid.columns) continue;
        const std::int64_t from = to / grid.tokens() * grid.tokens() + row * grid.columns + column;
        for (std::int64_t c = 0; c < channels; ++c) {
          f(to * channels + c, from * channels + c, cell * outputs + direction * channels + c);
        }
      }
    }
  }
}

}  // namespace

void ReferenceBackend::grid_convolution_forward(T x, T kernel, Grid grid, T y) {
  const Doubles in = load(x), k = load(kernel);
  Doubles out(in.size(), 0.0);
  for_each_product(x.shape, grid, kernel.shape[1],
                   [&](auto to, auto from, auto at) { out[to] += k[at] * in[from]; });
  store(out, y);
}

void ReferenceBackend::grid_convolution_backward(T dy, T x, T kernel, Grid grid, G dx, G dkernel) {
  const Doubles d = load(dy), in = load(x), k = load(kernel);
  Doubles din(in.size(), 0.0), dk(k.size(), 0.0);
  for_each_product(x.shape, grid, kernel.shape[1], [&](auto to, auto from, auto at) {
    din[from] += k[at] * d[to];
    dk[at] += d[to] * in[from];
  });
  store(din, dx);
  store(dk, dkernel);
}

}  // namespace edt
