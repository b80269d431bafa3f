// The recurrence goes cell by cell over all states at once; kernels are summed up from its states.
// Formulas: core/reference/state_space.cpp.
#include "core/ops/state_space.h"

#include <cmath>
#include <numbers>
#include <vector>

#include "core/cpu/elementwise.h"
#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/state_form.h"
#include "core/cpu/typed.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/state_space.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

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
HWY_EXPORT(CellKernel);
HWY_EXPORT(AddScaled);

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

}  // namespace edt
#endif
