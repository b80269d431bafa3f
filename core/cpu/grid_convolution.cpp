// Channel by channel with kernels as large as the grid, a few lanes of channels side by side, so
// that what a thread reads stays in cache. Formulas: core/reference/state_space.cpp.
#include <algorithm>

#include "core/cpu/grid_task.h"
#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/ops/state_space.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/grid_convolution.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

constexpr std::int64_t kTile = kGridTile, kPad = kTile - 1;

// Place on the grid of what stands at (i, j) when it is laid that way.
std::int64_t Place(const TokenGrid& grid, const KernelWay& way, std::int64_t i, std::int64_t j) {
  return (way.up ? grid.rows - 1 - i : i) * grid.columns + (way.left ? grid.columns - 1 - j : j);
}

// A vector of channels of each token, row by row with zeros around.
template <class T>
void LoadGrid(const T* x, std::int64_t channels, std::int64_t left, const TokenGrid& grid,
              const KernelWay& way, float* to) {
  const std::int64_t columns = padded_columns(grid);
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
  const std::int64_t columns = padded_columns(grid), lanes = Lanes();
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
  const std::int64_t columns = padded_columns(grid), lanes = Lanes();
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
        *kernels = padded + grid.rows * padded_columns(grid) * Lanes();
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
  const std::int64_t padded = grid.rows * padded_columns(grid) * Lanes();
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

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edt {
namespace {
HWY_EXPORT(ConvolveChannelsOf);
HWY_EXPORT(CorrelateChannelsOf);

constexpr std::int64_t kGridChannels = 16;  // of a thread at a time; no vector has more lanes

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
      kGridChannels * (5 * grid.tokens() + 2 * grid.rows * padded_columns(grid));
  float* const room = scratch.floats(Slot::kAttention, thread_count() * floats);
  parallel_parts(tasks, 1, [&](std::int64_t part, Range r) {
    for (std::int64_t task = r.begin; task < r.end; ++task) f(task, room + part * floats);
  });
}

}  // namespace

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
