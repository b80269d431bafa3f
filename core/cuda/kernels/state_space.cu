// A thread for each state walks over the cells, as each needs those before it; a thread for each
// element of a kernel and of a table's gradient. Formulas: core/reference/state_space.cpp.
#include "core/cuda/kernels/state_space.h"

#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kThreads = 128;
constexpr float kTurn = 6.283185307179586f;

__device__ std::int64_t element_of() {
  return static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
}

unsigned blocks_of(std::int64_t elements) {
  return static_cast<unsigned>(divide_up(elements, kThreads));
}

template <class T>
__device__ float value(const void* table, std::int64_t i) {
  return to_float(static_cast<const T*>(table)[i]);
}

__device__ float sigmoid(float x) { return 1 / (1 + expf(-x)); }
__device__ float sigmoid_slope(float x) { return sigmoid(x) * (1 - sigmoid(x)); }

// Of the state that flows right, when it is computed at (i, j); for down the other way round.
__device__ float link_factor(int i, int j) {
  return (i == 0 && j == 1) || (i >= 1 && j >= 2) ? 0.5f : 1.0f;
}

__device__ float cell_factor(const StateSpaceCall& call, int cell) {
  const bool first_row = cell < call.columns, first_column = cell % call.columns == 0;
  return (first_row != first_column ? 2.0f : 1.0f) / sqrtf(static_cast<float>(call.size));
}

struct Pair {
  float re, im;
};
__device__ Pair operator*(const Pair& a, const Pair& b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
__device__ Pair conj_times(const Pair& a, const Pair& b) {
  return {a.re * b.re + a.im * b.im, a.re * b.im - a.im * b.re};
}
__device__ void add_to(Pair& to, float f, const Pair& from) {
  to.re = fmaf(f, from.re, to.re);
  to.im = fmaf(f, from.im, to.im);
}

// One state's values in all cells: kind 0 flows right, 1 down.
struct StateColumn {
  float* data;
  int states, planes;

  __device__ Pair at(int cell, int kind) const {
    const float* const first = data + static_cast<std::int64_t>(cell) * planes * states;
    return {first[kind * states], planes == 4 ? first[(2 + kind) * states] : 0.0f};
  }
  __device__ void put(int cell, int kind, const Pair& value) const {
    float* const first = data + static_cast<std::int64_t>(cell) * planes * states;
    first[kind * states] = value.re;
    if (planes == 4) first[(2 + kind) * states] = value.im;
  }
};

// A1 ... A4 of a state, and how far each is turned.
struct Coefficients {
  Pair of[4], turn[4];

  template <class T>
  __device__ void read(const StateSpaceCall& call, int state) {
    const int states = call.groups * call.size;
#pragma unroll
    for (int which = 0; which < 4; ++which) {
      const float radius = sigmoid(value<T>(call.a, which * states + state));
      turn[which] = {1, 0};
      if (call.planes == 4) {
        const float angle = kTurn * sigmoid(value<T>(call.a, (4 + which) * states + state));
        turn[which] = {cosf(angle), sinf(angle)};
      }
      of[which] = {radius * turn[which].re, radius * turn[which].im};
    }
  }
};

template <class T>
__global__ void __launch_bounds__(kThreads) walk_states(StateSpaceCall call) {
  const int states = call.groups * call.size, state = static_cast<int>(element_of());
  if (state >= states) return;
  Coefficients a;
  a.read<T>(call, state);
  const StateColumn column{call.states + state, states, call.planes};
  for (int i = 0; i < call.rows; ++i) {
    for (int j = 0; j < call.columns; ++j) {
      const int cell = i * call.columns + j;
#pragma unroll
      for (int kind = 0; kind < 2; ++kind) {
        Pair to = {0, 0};
        if (cell == 0) {
          to.re = sigmoid(value<T>(call.b, kind * states + state));
          if (call.planes == 4) to.im = sigmoid(value<T>(call.b, (2 + kind) * states + state));
        }
        if ((kind == 0 ? j : i) > 0) {
          const int from = kind == 0 ? cell - 1 : cell - call.columns;
          const float f = kind == 0 ? link_factor(i, j) : link_factor(j, i);
          add_to(to, f, a.of[2 * kind] * column.at(from, 0));
          add_to(to, f, a.of[2 * kind + 1] * column.at(from, 1));
        }
        column.put(cell, kind, to);
      }
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) cell_kernels(StateSpaceCall call) {
  const std::int64_t at = element_of();
  if (at >= static_cast<std::int64_t>(call.rows) * call.columns * call.outputs) return;
  const int cell = static_cast<int>(at / call.outputs), n = static_cast<int>(at % call.outputs);
  float sum = 0;
  for (int plane = 0; plane < call.planes; ++plane) {
    const float* const states =
        call.states +
        ((static_cast<std::int64_t>(cell) * call.planes + plane) * call.groups + n % call.groups) *
            call.size;
    float part = 0;
    for (int s = 0; s < call.size; ++s) {
      const std::int64_t of_c =
          (static_cast<std::int64_t>(plane) * call.outputs + n) * call.size + s;
      part = fmaf(value<T>(call.c, of_c), states[s], part);
    }
    sum += plane < 2 ? part : -part;
  }
  sum *= cell_factor(call, cell);
  if (cell == 0 && n < call.through) sum += value<T>(call.omega, n);
  call.kernel[at] = sum;
}

// What the kernel's gradient brings to each state of each cell.
template <class T>
__global__ void __launch_bounds__(kThreads) state_sources(StateSpaceCall call) {
  const std::int64_t at = element_of();
  const int states = call.groups * call.size;
  if (at >= static_cast<std::int64_t>(call.rows) * call.columns * call.planes * states) return;
  const int s = static_cast<int>(at % call.size),
            group = static_cast<int>(at / call.size % call.groups);
  const int plane = static_cast<int>(at / states % call.planes);
  const int cell = static_cast<int>(at / states / call.planes);
  float sum = 0;
  for (int n = group; n < call.outputs; n += call.groups) {
    const std::int64_t of_c = (static_cast<std::int64_t>(plane) * call.outputs + n) * call.size + s;
    sum = fmaf(value<T>(call.c, of_c),
               call.kernel[static_cast<std::int64_t>(cell) * call.outputs + n], sum);
  }
  call.arrives[at] = (plane < 2 ? sum : -sum) * cell_factor(call, cell);
}

__device__ void give(float* to, std::int64_t at, float value, bool accumulate) {
  to[at] = accumulate ? to[at] + value : value;
}

// From the last cell to the first; then the parameters of the state.
template <class T>
__global__ void __launch_bounds__(kThreads) walk_back(StateSpaceCall call) {
  const int states = call.groups * call.size, state = static_cast<int>(element_of());
  if (state >= states) return;
  Coefficients a;
  a.read<T>(call, state);
  const StateColumn column{call.states + state, states, call.planes};
  const StateColumn arrives{call.arrives + state, states, call.planes};
  Pair da[4] = {};
  for (int cell = call.rows * call.columns - 1; cell > 0; --cell) {
    const int i = cell / call.columns, j = cell % call.columns;
#pragma unroll
    for (int kind = 0; kind < 2; ++kind) {
      if ((kind == 0 ? j : i) == 0) continue;
      const int from = kind == 0 ? cell - 1 : cell - call.columns;
      const float f = kind == 0 ? link_factor(i, j) : link_factor(j, i);
      const Pair own = arrives.at(cell, kind);
#pragma unroll
      for (int read = 0; read < 2; ++read) {
        add_to(da[2 * kind + read], f, conj_times(column.at(from, read), own));
        Pair to = arrives.at(from, read);
        add_to(to, f, conj_times(a.of[2 * kind + read], own));
        arrives.put(from, read, to);
      }
    }
  }
  const bool is_complex = call.planes == 4;
#pragma unroll
  for (int which = 0; which < 4; ++which) {
    const std::int64_t at = which * states + state, at_angle = at + 4 * states;
    const Pair turned = conj_times(a.turn[which], da[which]);
    const float raw = value<T>(call.a, at);
    give(call.da, at, turned.re * sigmoid_slope(raw), call.accumulate_a);
    if (!is_complex) continue;
    const float angle = value<T>(call.a, at_angle);
    give(call.da, at_angle, turned.im * sigmoid(raw) * kTurn * sigmoid_slope(angle),
         call.accumulate_a);
  }
#pragma unroll
  for (int kind = 0; kind < 2; ++kind) {
    const Pair first = arrives.at(0, kind);
    const std::int64_t at = kind * states + state, at_im = at + 2 * states;
    give(call.db, at, first.re * sigmoid_slope(value<T>(call.b, at)), call.accumulate_b);
    if (is_complex) {
      give(call.db, at_im, first.im * sigmoid_slope(value<T>(call.b, at_im)), call.accumulate_b);
    }
  }
}

__global__ void __launch_bounds__(kThreads) output_gradients(StateSpaceCall call) {
  const std::int64_t at = element_of();
  if (at >= static_cast<std::int64_t>(call.planes) * call.outputs * call.size) return;
  const int s = static_cast<int>(at % call.size),
            n = static_cast<int>(at / call.size % call.outputs);
  const int plane = static_cast<int>(at / call.size / call.outputs);
  const int cells = call.rows * call.columns;
  float sum = 0;
  for (int cell = 0; cell < cells; ++cell) {
    const std::int64_t state =
        ((static_cast<std::int64_t>(cell) * call.planes + plane) * call.groups + n % call.groups) *
            call.size +
        s;
    sum = fmaf(
        cell_factor(call, cell) * call.kernel[static_cast<std::int64_t>(cell) * call.outputs + n],
        call.states[state], sum);
  }
  give(call.dc, at, plane < 2 ? sum : -sum, call.accumulate_c);
  if (call.domega != nullptr && at < call.through) {
    give(call.domega, at, call.kernel[at], call.accumulate_omega);
  }
}

}  // namespace

void launch_ssm2d_kernel_forward(cudaStream_t stream, const StateSpaceCall& call) {
  const std::int64_t cells = static_cast<std::int64_t>(call.rows) * call.columns;
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "ssm2d states", blocks_of(call.groups * call.size), kThreads}, walk_states<T>,
           call);
    launch({stream, "ssm2d kernel", blocks_of(cells * call.outputs), kThreads}, cell_kernels<T>,
           call);
  });
}

void launch_ssm2d_kernel_backward(cudaStream_t stream, const StateSpaceCall& call) {
  const std::int64_t cells = static_cast<std::int64_t>(call.rows) * call.columns;
  const std::int64_t states = static_cast<std::int64_t>(call.groups) * call.size;
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "ssm2d sources", blocks_of(cells * call.planes * states), kThreads},
           state_sources<T>, call);
    launch({stream, "ssm2d states backward", blocks_of(states), kThreads}, walk_back<T>, call);
  });
  launch({stream, "ssm2d outputs backward",
          blocks_of(static_cast<std::int64_t>(call.planes) * call.outputs * call.size), kThreads},
         output_gradients, call);
}

}  // namespace edt
