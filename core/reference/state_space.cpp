// Formulas: core/ops/state_space.h. Backward, with l the gradient of a state's value and conj the
// complex conjugate (of a product y = p x: dp = conj(x) dy, dx = conj(p) dy):
//   lh(i,j) = g dkernel conj(C1) / sqrt(S) + conj(A1) f lh(i,j+1) + conj(A3) f lv(i+1,j)
//   lv(i,j) = g dkernel conj(C2) / sqrt(S) + conj(A2) f lh(i,j+1) + conj(A4) f lv(i+1,j)
// f being that of the cell which is written; dA1 = sum f lh(i,j) conj(h(i,j-1)) and so on,
// dB1 = lh(0,0), dB2 = lv(0,0).
#include "core/ops/state_space.h"

#include <cmath>
#include <complex>
#include <numbers>

#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {
namespace {

using Complex = std::complex<double>;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double sigmoid_slope(double x) { return sigmoid(x) * (1 - sigmoid(x)); }

// A table of planes [planes, count], read as two or four complex numbers a place.
struct Planes {
  Doubles values;
  std::int64_t count;
  bool complex;

  // Of the kind 0 or 1: flows right, flows down.
  Complex at(std::int64_t kind, std::int64_t i) const {
    return {values[kind * count + i], complex ? values[(2 + kind) * count + i] : 0};
  }
  void put(std::int64_t kind, std::int64_t i, Complex value) {
    values[kind * count + i] = value.real();
    if (complex) values[(2 + kind) * count + i] = value.imag();
  }
  void add(std::int64_t kind, std::int64_t i, Complex value) { put(kind, i, at(kind, i) + value); }
};

struct StateSpace {
  std::int64_t states, groups, outputs;  // states: of all groups
  std::int64_t size;                     // of a group
  bool complex;
  Doubles a, b;
  TokenGrid grid;

  StateSpace(const Tensor& a_tensor, const Tensor& b_tensor, const Tensor& c, const TokenGrid& on)
      : states(b_tensor.shape[1] * b_tensor.shape[2]),
        groups(b_tensor.shape[1]),
        outputs(c.shape[1]),
        size(b_tensor.shape[2]),
        complex(b_tensor.shape[0] == 4),
        a(load(a_tensor)),
        b(load(b_tensor)),
        grid(on) {}

  double radius(std::int64_t which, std::int64_t i) const { return a[which * states + i]; }
  double angle(std::int64_t which, std::int64_t i) const { return a[(4 + which) * states + i]; }
  Complex turn(std::int64_t which, std::int64_t i) const {
    if (!complex) return 1;
    return std::polar(1.0, 2 * std::numbers::pi * sigmoid(angle(which, i)));
  }
  // A1 ... A4.
  Complex coefficient(std::int64_t which, std::int64_t i) const {
    return sigmoid(radius(which, i)) * turn(which, i);
  }
  Complex begin(std::int64_t kind, std::int64_t i) const {
    return {sigmoid(b[kind * states + i]), complex ? sigmoid(b[(2 + kind) * states + i]) : 0};
  }
  // The state of output n with number s.
  std::int64_t state_of(std::int64_t n, std::int64_t s) const { return n % groups * size + s; }
  std::int64_t place(std::int64_t i, std::int64_t j, std::int64_t state) const {
    return (i * grid.columns + j) * (complex ? 4 : 2) * states + state;
  }
};

// States of all cells as [cells, P, states]: kind by kind in each cell.
struct States {
  const StateSpace& of;
  Doubles values;

  explicit States(const StateSpace& space)
      : of(space),
        values(
            static_cast<std::size_t>(space.grid.tokens() * (space.complex ? 4 : 2) * space.states),
            0.0) {}
  Complex at(std::int64_t i, std::int64_t j, std::int64_t kind, std::int64_t state) const {
    const std::int64_t first = of.place(i, j, state);
    return {values[first + kind * of.states],
            of.complex ? values[first + (2 + kind) * of.states] : 0};
  }
  void add(std::int64_t i, std::int64_t j, std::int64_t kind, std::int64_t state, Complex value) {
    const std::int64_t first = of.place(i, j, state);
    values[first + kind * of.states] += value.real();
    if (of.complex) values[first + (2 + kind) * of.states] += value.imag();
  }
};

void fill_states(const StateSpace& space, States& found) {
  for (std::int64_t state = 0; state < space.states; ++state) {
    Complex factors[4];
    for (int which = 0; which < 4; ++which) factors[which] = space.coefficient(which, state);
    for (std::int64_t i = 0; i < space.grid.rows; ++i) {
      for (std::int64_t j = 0; j < space.grid.columns; ++j) {
        for (const int kind : {0, 1}) {
          if (i == 0 && j == 0) found.add(i, j, kind, state, space.begin(kind, state));
          if ((kind == 0 ? j : i) == 0) continue;
          const std::int64_t up = kind == 0 ? i : i - 1, left = kind == 0 ? j - 1 : j;
          const double f = kind == 0 ? StateFactors::right(i, j) : StateFactors::down(i, j);
          found.add(i, j, kind, state,
                    f * (factors[2 * kind] * found.at(up, left, 0, state) +
                         factors[2 * kind + 1] * found.at(up, left, 1, state)));
        }
      }
    }
  }
}

// f(output, its state, that state's place in c, factor of its cell) for each cell.
template <class F>
void for_each_term(const StateSpace& space, F f) {
  const double scale = 1 / std::sqrt(static_cast<double>(space.size));
  for (std::int64_t i = 0; i < space.grid.rows; ++i) {
    for (std::int64_t j = 0; j < space.grid.columns; ++j) {
      for (std::int64_t n = 0; n < space.outputs; ++n) {
        for (std::int64_t s = 0; s < space.size; ++s) {
          f(i, j, n, space.state_of(n, s), n * space.size + s, StateFactors::kernel(i, j) * scale);
        }
      }
    }
  }
}

}  // namespace

void ReferenceBackend::ssm2d_kernel_forward(T a, T b, T c, T omega, Grid grid, T states, T kernel) {
  const StateSpace space(a, b, c, grid);
  States found(space);
  fill_states(space, found);
  const Planes out{load(c), c.shape[1] * c.shape[2], space.complex};
  Doubles sums(static_cast<std::size_t>(kernel.elements()), 0.0);
  for_each_term(space, [&](auto i, auto j, auto n, auto state, auto at, double factor) {
    const Complex sum =
        out.at(0, at) * found.at(i, j, 0, state) + out.at(1, at) * found.at(i, j, 1, state);
    sums[(i * grid.columns + j) * space.outputs + n] += factor * sum.real();
  });
  if (omega.defined()) {
    const Doubles through = load(omega);
    for (std::size_t n = 0; n < through.size(); ++n) sums[n] += through[n];
  }
  store(found.values, states);
  store(sums, kernel);
}

void ReferenceBackend::ssm2d_kernel_backward(T dkernel, T a, T b, T c, T states, Grid grid, G da,
                                             G db, G dc, G domega) {
  const StateSpace space(a, b, c, grid);
  States found(space), arrives(space);
  found.values = load(states);
  const Doubles d = load(dkernel);
  const Planes out{load(c), c.shape[1] * c.shape[2], space.complex};
  Planes dout{Doubles(out.values.size(), 0.0), out.count, space.complex};
  for_each_term(space, [&](auto i, auto j, auto n, auto state, auto at, double factor) {
    const double own = factor * d[(i * grid.columns + j) * space.outputs + n];
    for (const int kind : {0, 1}) {
      arrives.add(i, j, kind, state, own * std::conj(out.at(kind, at)));
      dout.add(kind, at, own * std::conj(found.at(i, j, kind, state)));
    }
  });
  Doubles to_a(space.a.size(), 0.0), to_b(space.b.size(), 0.0);
  for (std::int64_t state = 0; state < space.states; ++state) {
    Complex dfactors[4] = {};
    for (std::int64_t i = grid.rows - 1; i >= 0; --i) {
      for (std::int64_t j = grid.columns - 1; j >= 0; --j) {
        for (const int kind : {1, 0}) {
          if ((kind == 0 ? j : i) == 0) continue;
          const std::int64_t up = kind == 0 ? i : i - 1, left = kind == 0 ? j - 1 : j;
          const double f = kind == 0 ? StateFactors::right(i, j) : StateFactors::down(i, j);
          const Complex own = f * arrives.at(i, j, kind, state);
          for (const int from : {0, 1}) {
            const int which = 2 * kind + from;
            dfactors[which] += own * std::conj(found.at(up, left, from, state));
            arrives.add(up, left, from, state, own * std::conj(space.coefficient(which, state)));
          }
        }
      }
    }
    for (const int kind : {0, 1}) {
      const Complex first = arrives.at(0, 0, kind, state);
      const std::int64_t at = kind * space.states + state, at_imag = at + 2 * space.states;
      to_b[at] = first.real() * sigmoid_slope(space.b[at]);
      if (space.complex) to_b[at_imag] = first.imag() * sigmoid_slope(space.b[at_imag]);
    }
    // Of r e^{i w}: dr = Re(conj(e^{i w}) dA), dw = Re(conj(i r e^{i w}) dA).
    for (int which = 0; which < 4; ++which) {
      const Complex turned = std::conj(space.turn(which, state)) * dfactors[which];
      to_a[which * space.states + state] =
          turned.real() * sigmoid_slope(space.radius(which, state));
      if (!space.complex) continue;
      to_a[(4 + which) * space.states + state] =
          turned.imag() * sigmoid(space.radius(which, state)) * 2 * std::numbers::pi *
          sigmoid_slope(space.angle(which, state));
    }
  }
  store(to_a, da);
  store(to_b, db);
  store(dout.values, dc);
  if (domega.wanted()) {
    store(Doubles(d.begin(), d.begin() + domega.tensor.elements()), domega);
  }
}

}  // namespace edt
