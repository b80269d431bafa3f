// The recurrence goes cell by cell over all states at once; kernels are convolved channel by
// channel, a few lanes of them side by side, so that what a thread reads stays in cache. Formulas:
// core/reference/state_space.cpp.
#include "core/ops/state_space.h"

#include <cmath>
#include <numbers>
#include <vector>

#include "core/cpu/elementwise.h"
#include "core/cpu/grid_task.h"
#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/state_space.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

// Zeros around a row of tokens, so that tiles of four may reach over its ends.
constexpr std::int64_t kTile = 4, kPad = kTile - 1;

std::int64_t PaddedColumns(const TokenGrid& grid) { return grid.columns + 2 * kPad; }

// Place on the grid of what stands at (i, j) when it is laid that way.
std::int64_t Place(const TokenGrid& grid, const KernelWay& way, std::int64_t i, std::int64_t j) {
  return (way.up ? grid.rows - 1 - i : i) * grid.columns + (way.left ? grid.columns - 1 - j : j);
}

// A vector of channels of each token, row by row with zeros around.
template <class T>
void LoadGrid(const T* x, std::int64_t channels, std::int64_t left, const TokenGrid& grid,
              const KernelWay& way, float* to) {
  const std::int64_t columns = PaddedColumns(grid);
  for (std::int64_t i = 0; i < grid.rows; ++i) {
    for (std::int64_t j = -kPad; j < grid.columns + kPad; ++j) {
      const bool inside = j >= 0 && j < grid.columns;
      StoreVec(inside ? LoadVec(x + Place(grid, way, i, j) * channels, left) : Zero(),
               to + (i * columns + kPad + j) * Lanes());
    }
  }
}

// sums [cells] += the kernel [cells] over what LoadGrid() has laid out.
void Convolve(const float* kernel, const float* x, const TokenGrid& grid, const KernelWay& way,
              float* sums) {
  const std::int64_t columns = PaddedColumns(grid), lanes = Lanes();
  for (std::int64_t i = 0; i < grid.rows; ++i) {
    for (std::int64_t j = 0; j < grid.columns; j += kTile) {
      FloatVec sum[kTile];
      for (FloatVec& s : sum) s = Zero();
      const std::int64_t reach = std::min(j + kPad, grid.columns - 1);
      for (std::int64_t a = 0; a <= i; ++a) {
        const float* const row = x + ((i - a) * columns + kPad + j) * lanes;
        for (std::int64_t b = 0; b <= reach; ++b) {
          const FloatVec k = LoadVec(kernel + (a * grid.columns + b) * lanes);
          for (std::int64_t t = 0; t < kTile; ++t) {
            sum[t] = hn::MulAdd(k, LoadVec(row + (t - b) * lanes), sum[t]);
          }
        }
      }
      for (std::int64_t t = 0; t < kTile && j + t < grid.columns; ++t) {
        float* const to = sums + Place(grid, way, i, j + t) * lanes;
        StoreVec(hn::Add(LoadVec(to), sum[t]), to);
      }
    }
  }
}

// dkernel [cells] += dy (laid out the same way) times x.
void Correlate(const float* dy, const float* x, const TokenGrid& grid, float* dkernel) {
  const std::int64_t columns = PaddedColumns(grid), lanes = Lanes();
  for (std::int64_t a = 0; a < grid.rows; ++a) {
    for (std::int64_t b = 0; b < grid.columns; b += kTile) {
      FloatVec sum[kTile];
      for (FloatVec& s : sum) s = Zero();
      for (std::int64_t i = a; i < grid.rows; ++i) {
        const float* const row = x + ((i - a) * columns + kPad - b) * lanes;
        const float* const arrives = dy + (i * columns + kPad) * lanes;
        for (std::int64_t j = b; j < grid.columns; ++j) {
          const FloatVec d = LoadVec(arrives + j * lanes);
          for (std::int64_t t = 0; t < kTile; ++t) {
            sum[t] = hn::MulAdd(d, LoadVec(row + (j - t) * lanes), sum[t]);
          }
        }
      }
      for (std::int64_t t = 0; t < kTile && b + t < grid.columns; ++t) {
        float* const to = dkernel + (a * grid.columns + b + t) * lanes;
        StoreVec(hn::Add(LoadVec(to), sum[t]), to);
      }
    }
  }
}

void LoadKernel(const float* kernel, std::int64_t outputs, std::int64_t left, std::int64_t cells,
                float* to) {
  for (std::int64_t cell = 0; cell < cells; ++cell) {
    StoreVec(LoadVec(kernel + cell * outputs, left), to + cell * Lanes());
  }
}

// y (+)= all directions, for `width` channels from the first on; `room`: working memory.
template <class T>
void ConvolveChannels(const T* x, const float* kernel, const GridTask& task, T* y, float* room) {
  const TokenGrid& grid = task.grid;
  const std::int64_t cells = grid.tokens(), one = cells * Lanes();
  float *sums = room, *padded = sums + one,
        *kernels = padded + grid.rows * PaddedColumns(grid) * Lanes();
  for (std::int64_t c = task.first; c < task.first + task.width; c += Lanes()) {
    const std::int64_t left = task.first + task.width - c;
    for (std::int64_t g = 0; g < task.directions; ++g) {
      LoadKernel(kernel + g * task.channels + c, task.directions * task.channels, left, cells,
                 kernels + g * one);
    }
    for (std::int64_t b = 0; b < task.batch; ++b) {
      const std::int64_t at = b * cells * task.channels + c;
      for (std::int64_t i = 0; i < one; i += Lanes()) StoreVec(Zero(), sums + i);
      for (std::int64_t g = 0; g < task.directions; ++g) {
        KernelWay way = KernelWay::of(g, task.directions);
        if (task.backward) way = way.reversed();
        LoadGrid(x + at, task.channels, left, grid, way, padded);
        Convolve(kernels + g * one, padded, grid, way, sums);
      }
      for (std::int64_t token = 0; token < cells; ++token) {
        PutVec(LoadVec(sums + token * Lanes()), y + at + token * task.channels, left,
               task.accumulate);
      }
    }
  }
}

void ConvolveChannelsOf(DType dtype, const void* x, const float* kernel, const GridTask& task,
                        void* y, float* room) {
  if (dtype == DType::kFloat32) {
    ConvolveChannels(static_cast<const float*>(x), kernel, task, static_cast<float*>(y), room);
  } else {
    ConvolveChannels(static_cast<const bfloat16*>(x), kernel, task, static_cast<bfloat16*>(y),
                     room);
  }
}

// dkernel (+)= the sum over the samples, in their order.
template <class T>
void CorrelateChannels(const T* dy, const T* x, const GridTask& task, float* dkernel, float* room) {
  const TokenGrid& grid = task.grid;
  const std::int64_t cells = grid.tokens(), one = cells * Lanes();
  const std::int64_t padded = grid.rows * PaddedColumns(grid) * Lanes();
  float *sums = room, *of_x = sums + one, *of_dy = of_x + padded;
  for (std::int64_t c = task.first; c < task.first + task.width; c += Lanes()) {
    const std::int64_t left = task.first + task.width - c;
    for (std::int64_t g = 0; g < task.directions; ++g) {
      const KernelWay way = KernelWay::of(g, task.directions);
      for (std::int64_t i = 0; i < one; i += Lanes()) StoreVec(Zero(), sums + i);
      for (std::int64_t b = 0; b < task.batch; ++b) {
        const std::int64_t at = b * cells * task.channels + c;
        LoadGrid(x + at, task.channels, left, grid, way, of_x);
        LoadGrid(dy + at, task.channels, left, grid, way, of_dy);
        Correlate(of_dy, of_x, grid, sums);
      }
      for (std::int64_t cell = 0; cell < cells; ++cell) {
        PutVec(LoadVec(sums + cell * Lanes()),
               dkernel + (cell * task.directions + g) * task.channels + c, left, task.accumulate);
      }
    }
  }
}

void CorrelateChannelsOf(DType dtype, const void* dy, const void* x, const GridTask& task,
                         float* dkernel, float* room) {
  if (dtype == DType::kFloat32) {
    CorrelateChannels(static_cast<const float*>(dy), static_cast<const float*>(x), task, dkernel,
                      room);
  } else {
    CorrelateChannels(static_cast<const bfloat16*>(dy), static_cast<const bfloat16*>(x), task,
                      dkernel, room);
  }
}

// sum of a b
float Dot(const float* a, const float* b, std::int64_t n) {
  FloatVec sum = Zero();
  for (std::int64_t i = 0; i < n; i += Lanes()) {
    sum = hn::MulAdd(LoadVec(a + i, n - i), LoadVec(b + i, n - i), sum);
  }
  return Sum(sum);
}

// kernel [outputs] of one cell, of its states [planes, groups, size].
void CellKernel(const float* c, const float* states, const StateForm& form, float factor,
                float* kernel) {
  for (std::int64_t n = 0; n < form.outputs; ++n) {
    float sum = 0;
    for (std::int64_t p = 0; p < form.planes; ++p) {
      const float part = Dot(c + (p * form.outputs + n) * form.size,
                             states + (p * form.groups + n % form.groups) * form.size, form.size);
      sum += p < 2 ? part : -part;
    }
    kernel[n] = factor * sum;
  }
}

// y [n] += factor x
void AddScaled(float factor, const float* x, float* y, std::int64_t n) {
  const FloatVec f = Set(factor);
  for (std::int64_t i = 0; i < n; i += Lanes()) {
    PutVec(hn::Mul(f, LoadVec(x + i, n - i)), y + i, n - i, true);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edt {
namespace {
HWY_EXPORT(ConvolveChannelsOf);
HWY_EXPORT(CorrelateChannelsOf);
HWY_EXPORT(CellKernel);
HWY_EXPORT(AddScaled);

constexpr std::int64_t kGridChannels = 16;  // of a thread at a time; no vector has more lanes
constexpr std::int64_t kGridPad = 6;        // zeros beside a row of tokens

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double sigmoid_slope(double x) { return sigmoid(x) * (1 - sigmoid(x)); }

StateForm form_of(const Tensor& b, const Tensor& c) {
  return {.planes = b.shape[0], .groups = b.shape[1], .size = b.shape[2], .outputs = c.shape[1]};
}

// Parameters in float32, and A1 ... A4 of all states: real parts [4, states], imaginary parts.
struct StateTables {
  StateForm form;
  std::int64_t states;
  std::vector<float> a, b, c, re, im;

  StateTables(const Tensor& a_tensor, const Tensor& b_tensor, const Tensor& c_tensor)
      : form(form_of(b_tensor, c_tensor)),
        states(form.groups * form.size),
        a(floats(a_tensor)),
        b(floats(b_tensor)),
        c(floats(c_tensor)),
        re(static_cast<std::size_t>(4 * states)),
        im(re.size(), 0.0f) {
    for (std::size_t i = 0; i < re.size(); ++i) {
      const double radius = sigmoid(a[i]);
      const double turn = form.complex() ? 2 * std::numbers::pi * sigmoid(a[i + re.size()]) : 0;
      re[i] = static_cast<float>(radius * std::cos(turn));
      if (form.complex()) im[i] = static_cast<float>(radius * std::sin(turn));
    }
  }
  static std::vector<float> floats(const Tensor& x) {
    std::vector<float> values(static_cast<std::size_t>(x.elements()));
    convert({x.data, x.dtype}, {values.data()}, x.elements());
    return values;
  }
};

// to (+)= f p x of one state of a cell, of which `im` planes lie 2 states behind.
void add_product(const StateTables& t, std::int64_t which, float f, const float* x, float* to) {
  const std::int64_t n = t.states;
  const float *re = t.re.data() + which * n, *im = t.im.data() + which * n;
  if (!t.form.complex()) {
    for (std::int64_t i = 0; i < n; ++i) to[i] += f * re[i] * x[i];
    return;
  }
  const float* const xi = x + 2 * n;
  float* const to_i = to + 2 * n;
  for (std::int64_t i = 0; i < n; ++i) {
    to[i] += f * (re[i] * x[i] - im[i] * xi[i]);
    to_i[i] += f * (re[i] * xi[i] + im[i] * x[i]);
  }
}

// dp += f conj(x) d and dx += f conj(p) d; dp [2, 4, states].
void add_product_backward(const StateTables& t, std::int64_t which, float f, const float* d,
                          const float* x, float* dp, float* dx) {
  const std::int64_t n = t.states;
  const float *re = t.re.data() + which * n, *im = t.im.data() + which * n;
  float *dre = dp + which * n, *dim = dp + (4 + which) * n;
  if (!t.form.complex()) {
    for (std::int64_t i = 0; i < n; ++i) {
      dre[i] += f * d[i] * x[i];
      dx[i] += f * d[i] * re[i];
    }
    return;
  }
  const float *xi = x + 2 * n, *di = d + 2 * n;
  float* const dxi = dx + 2 * n;
  for (std::int64_t i = 0; i < n; ++i) {
    dre[i] += f * (x[i] * d[i] + xi[i] * di[i]);
    dim[i] += f * (x[i] * di[i] - xi[i] * d[i]);
    dx[i] += f * (re[i] * d[i] + im[i] * di[i]);
    dxi[i] += f * (re[i] * di[i] - im[i] * d[i]);
  }
}

// f(cell that is written, kind of its state, cell that is read, factor), in the order of computing
// or, `backward`, in the opposite one.
template <class F>
void for_each_link(const TokenGrid& grid, bool backward, F f) {
  for (std::int64_t step = 0; step < grid.tokens(); ++step) {
    const std::int64_t cell = backward ? grid.tokens() - 1 - step : step;
    const std::int64_t i = cell / grid.columns, j = cell % grid.columns;
    if (j > 0) f(cell, 0, cell - 1, static_cast<float>(StateFactors::right(i, j)));
    if (i > 0) f(cell, 1, cell - grid.columns, static_cast<float>(StateFactors::down(i, j)));
  }
}

float cell_factor(const TokenGrid& grid, std::int64_t cell, const StateForm& form) {
  return static_cast<float>(StateFactors::kernel(cell / grid.columns, cell % grid.columns) /
                            std::sqrt(static_cast<double>(form.size)));
}

// Of what arrived at A1 ... A4, [2, 4, states], to the parameters a.
void give_coefficients(const StateTables& t, const float* dp, const GradTarget& da) {
  const auto count = static_cast<std::size_t>(4 * t.states);
  auto* const to = da.tensor.as<float>();
  for (std::size_t i = 0; i < count; ++i) {
    const double radius = sigmoid(t.a[i]);
    if (!t.form.complex()) {
      put(to[i], double{dp[i]} * sigmoid_slope(t.a[i]), da.accumulate);
      continue;
    }
    const double cosine = t.re[i] / radius, sine = t.im[i] / radius;
    put(to[i], (cosine * dp[i] + sine * dp[count + i]) * sigmoid_slope(t.a[i]), da.accumulate);
    put(to[count + i],
        (cosine * dp[count + i] - sine * dp[i]) * radius * 2 * std::numbers::pi *
            sigmoid_slope(t.a[count + i]),
        da.accumulate);
  }
}

GridTask task_of(const Tensor& x, const Tensor& kernel, const TokenGrid& grid, std::int64_t task) {
  const std::int64_t first = task * kGridChannels;
  return {.grid = grid,
          .batch = x.shape[0],
          .channels = x.shape[2],
          .directions = kernel.shape[1] / x.shape[2],
          .first = first,
          .width = std::min(kGridChannels, x.shape[2] - first)};
}

// f(task, working memory) over blocks of channels.
template <class F>
void for_each_block(Scratch& scratch, const Tensor& x, const TokenGrid& grid, F f) {
  const std::int64_t tasks = (x.shape[2] + kGridChannels - 1) / kGridChannels;
  const std::int64_t floats =
      kGridChannels * (5 * grid.tokens() + 2 * grid.rows * (grid.columns + kGridPad));
  float* const room = scratch.floats(Slot::kAttention, thread_count() * floats);
  parallel_parts(tasks, 1, [&](std::int64_t part, Range r) {
    for (std::int64_t task = r.begin; task < r.end; ++task) f(task, room + part * floats);
  });
}

}  // namespace

void CpuBackend::ssm2d_kernel_forward(T a, T b, T c, T omega, Grid grid, T states, T kernel) {
  const StateTables t(a, b, c);
  const std::int64_t n = t.states, cell_states = t.form.planes * n;
  auto* const all = states.as<float>();
  zero(states);
  for (std::size_t i = 0; i < t.b.size(); ++i) all[i] = static_cast<float>(sigmoid(t.b[i]));
  for_each_link(grid, false, [&](auto to, auto kind, auto from, float f) {
    for (const std::int64_t read : {0, 1}) {
      add_product(t, 2 * kind + read, f, all + from * cell_states + read * n,
                  all + to * cell_states + kind * n);
    }
  });
  auto* const found = kernel.as<float>();
  parallel_ranges(grid.tokens(), 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t cell = begin; cell < end; ++cell) {
      HWY_DYNAMIC_DISPATCH(CellKernel)
      (t.c.data(), all + cell * cell_states, t.form, cell_factor(grid, cell, t.form),
       found + cell * t.form.outputs);
    }
  });
  if (omega.defined()) convert({omega.data, omega.dtype}, {found}, omega.elements(), true);
}

void CpuBackend::ssm2d_kernel_backward(T dkernel, T a, T b, T c, T states, Grid grid, G da, G db,
                                       G dc, G domega) {
  const StateTables t(a, b, c);
  const StateForm& form = t.form;
  const std::int64_t n = t.states, cell_states = form.planes * n, outputs = form.outputs;
  const float *all = states.as<float>(), *d = dkernel.as<float>();
  float* const room = scratch_.floats(
      Slot::kPartials, grid.tokens() * cell_states + 8 * n + form.planes * outputs * form.size);
  float *arrives = room, *dp = arrives + grid.tokens() * cell_states, *dout = dp + 8 * n;
  edt::fill({room}, dout - room, 0.0f);
  const auto sign = [](std::int64_t plane) { return plane < 2 ? 1.0f : -1.0f; };
  parallel_ranges(grid.tokens(), 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t cell = begin; cell < end; ++cell) {
      const float factor = cell_factor(grid, cell, form);
      for (std::int64_t i = 0; i < form.planes * outputs; ++i) {
        const std::int64_t plane = i / outputs, output = i % outputs;
        HWY_DYNAMIC_DISPATCH(AddScaled)
        (sign(plane) * factor * d[cell * outputs + output], t.c.data() + i * form.size,
         arrives + cell * cell_states + (plane * form.groups + output % form.groups) * form.size,
         form.size);
      }
    }
  });
  parallel_ranges(form.planes * outputs, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t plane = i / outputs, output = i % outputs;
      edt::fill({dout + i * form.size}, form.size, 0.0f);
      for (std::int64_t cell = 0; cell < grid.tokens(); ++cell) {
        HWY_DYNAMIC_DISPATCH(AddScaled)
        (sign(plane) * cell_factor(grid, cell, form) * d[cell * outputs + output],
         all + cell * cell_states + (plane * form.groups + output % form.groups) * form.size,
         dout + i * form.size, form.size);
      }
    }
  });
  convert({dout}, {dc.tensor.data}, dc.tensor.elements(), dc.accumulate);
  // The last cell gives to those before it: down first, as it was the last to be computed.
  for_each_link(grid, true, [&](auto to, auto kind, auto from, float f) {
    for (const std::int64_t read : {0, 1}) {
      add_product_backward(t, 2 * kind + read, f, arrives + to * cell_states + kind * n,
                           all + from * cell_states + read * n, dp,
                           arrives + from * cell_states + read * n);
    }
  });
  give_coefficients(t, dp, da);
  for (std::size_t i = 0; i < t.b.size(); ++i) {
    put(db.tensor.as<float>()[i], arrives[i] * sigmoid_slope(t.b[i]), db.accumulate);
  }
  if (domega.wanted()) {
    convert({dkernel.data}, {domega.tensor.data}, domega.tensor.elements(), domega.accumulate);
  }
}

void CpuBackend::grid_convolution_forward(T x, T kernel, Grid grid, T y) {
  for_each_block(scratch_, x, grid, [&](std::int64_t i, float* room) {
    HWY_DYNAMIC_DISPATCH(ConvolveChannelsOf)
    (x.dtype, x.data, kernel.as<float>(), task_of(x, kernel, grid, i), y.data, room);
  });
}

void CpuBackend::grid_convolution_backward(T dy, T x, T kernel, Grid grid, G dx, G dkernel) {
  for_each_block(scratch_, x, grid, [&](std::int64_t i, float* room) {
    GridTask task = task_of(x, kernel, grid, i);
    if (dx.wanted()) {
      task.backward = true;
      task.accumulate = dx.accumulate;
      HWY_DYNAMIC_DISPATCH(ConvolveChannelsOf)
      (dy.dtype, dy.data, kernel.as<float>(), task, dx.tensor.data, room);
    }
    if (!dkernel.wanted()) return;
    task.accumulate = dkernel.accumulate;
    HWY_DYNAMIC_DISPATCH(CorrelateChannelsOf)
    (dy.dtype, dy.data, x.data, task, dkernel.tensor.as<float>(), room);
  });
}

}  // namespace edt
#endif
