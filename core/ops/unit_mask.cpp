#include "core/ops/unit_mask.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

void check_band(std::string_view op, const Var& weights, const Tensor& band) {
  check_shape(op, "band", band.shape, {3, weights.shape().elements()});
}

// x as a `matrix` in whose rows units are neighbouring columns.
Var masked_columns(Tape& tape, const Var& x, const Var& factors, const Shape& matrix) {
  Var y = tape.make(x.shape());
  {
    Profiler::Scope scope(tape.profiler(), "mask_units.forward");
    backend_of(tape).mask_units_forward(x.tensor().reshaped(matrix), factors.tensor(),
                                        y.tensor().reshaped(matrix));
  }
  tape.record("mask_units", y, {}, [x, factors, matrix](Tape& t, OutputGrad& dy) {
    Profiler::Scope scope(t.profiler(), "mask_units.backward");
    GradTarget dx = t.target(x.grad());
    if (dx.wanted()) dx.tensor = dx.tensor.reshaped(matrix);
    backend_of(t).mask_units_backward(dy.tensor().reshaped(matrix), x.tensor().reshaped(matrix),
                                      factors.tensor(), dx, t.target(factors.grad()));
  });
  return y;
}

}  // namespace

Var band_mask(Tape& tape, const Var& weights, const Tensor& band) {
  check_band("band_mask", weights, band);
  Var factors = tape.make({weights.shape().elements()}, tape.accurate_dtype());
  {
    Profiler::Scope scope(tape.profiler(), "band_mask.forward");
    backend_of(tape).band_mask_forward(weights.tensor(), band, factors.tensor());
  }
  tape.record("band_mask", factors, {}, [weights, band](Tape& t, OutputGrad& dfactors) {
    Profiler::Scope scope(t.profiler(), "band_mask.backward");
    backend_of(t).band_mask_backward(dfactors.tensor(), weights.tensor(), band,
                                     t.target(weights.grad()));
  });
  return factors;
}

Var band_sparsity(Tape& tape, const Var& weights, const Tensor& band, SparsityForm form,
                  const Tensor& losses) {
  check_band("band_sparsity", weights, band);
  require(losses.shape.rank() == 1, "band_sparsity", "losses are {}, expected [B]",
          to_string(losses.shape));
  Var sum = tape.make({1}, tape.accurate_dtype());
  {
    Profiler::Scope scope(tape.profiler(), "band_sparsity.forward");
    backend_of(tape).band_sparsity_forward(form, weights.tensor(), band, losses, sum.tensor());
  }
  tape.record("band_sparsity", sum, {}, [weights, band, form, sum](Tape& t, OutputGrad& dsum) {
    Profiler::Scope scope(t.profiler(), "band_sparsity.backward");
    backend_of(t).band_sparsity_backward(form, dsum.tensor(), sum.tensor(), weights.tensor(), band,
                                         t.target(weights.grad()));
  });
  return sum;
}

Var mask_units(Tape& tape, const Var& x, const Var& factors) {
  const std::int64_t units = factors.shape().columns(), parts = factors.shape().rows();
  require(units > 0 && x.shape().columns() % units == 0, "mask_units",
          "x is {}, whose columns {} units do not share", to_string(x.shape()), units);
  require(parts > 0 && x.shape().rows() % parts == 0, "mask_units",
          "x is {}, whose rows {} rows of factors do not share", to_string(x.shape()), parts);
  return masked_columns(tape, x, factors, {x.shape().rows(), x.shape().columns()});
}

// Tokens are neighbouring columns of a sample, as units are of a token.
Var gate_tokens(Tape& tape, const Var& x, const Var& factors) {
  const Shape shape = x.shape();
  require(shape.rank() == 3, "gate_tokens", "x is {}, expected [B, T, D]", to_string(shape));
  check_shape("gate_tokens", "factors", factors.shape(), {shape[0], shape[1]});
  return masked_columns(tape, x, factors, {shape[0], shape[1] * shape[2]});
}

}  // namespace edt
