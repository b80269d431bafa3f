#include "core/ops/mlp.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

using T = const Tensor&;

// What lies between the two products: the kernels, and how many rows of fc1 make one hidden unit.
struct FeedForwardForm {
  std::string_view name, forward_scope, backward_scope;
  std::int64_t rows_per_unit;
  void (*forward)(MlpKernels&, T x, const MlpWeights&, const MlpHidden&, T y);
  void (*backward)(MlpKernels&, T dy, T x, const MlpHidden&, const MlpWeights&,
                   const GradTarget& dx, const MlpGrads&);
};

constexpr FeedForwardForm kGeluForm{
    "mlp",
    "mlp.forward",
    "mlp.backward",
    1,
    [](MlpKernels& kernels, T x, const MlpWeights& weights, const MlpHidden& hidden, T y) {
      kernels.mlp_forward(x, weights, hidden, y);
    },
    [](MlpKernels& kernels, T dy, T x, const MlpHidden& hidden, const MlpWeights& weights,
       const GradTarget& dx,
       const MlpGrads& grads) { kernels.mlp_backward(dy, x, hidden, weights, dx, grads); }};
constexpr FeedForwardForm kSwigluForm{
    "swiglu",
    "swiglu.forward",
    "swiglu.backward",
    2,
    [](MlpKernels& kernels, T x, const MlpWeights& weights, const MlpHidden& hidden, T y) {
      kernels.swiglu_forward(x, weights, hidden.before, y);
    },
    [](MlpKernels& kernels, T dy, T x, const MlpHidden& hidden, const MlpWeights& weights,
       const GradTarget& dx, const MlpGrads& grads) {
      kernels.swiglu_backward(dy, x, hidden.before, weights, dx, grads);
    }};

Tensor tensor_of(const Var& kept) { return kept ? kept.tensor() : Tensor{}; }

// The weights of one call.
struct MlpUse {
  Tape& tape;
  const MlpParameters& p;
  WeightUse fc1{tape, p.fc1}, fc2{tape, p.fc2};

  MlpWeights weights() const {
    return {fc1.value(), tape.read(p.fc1_bias), fc2.value(),
            p.fc2_bias ? tape.read(*p.fc2_bias) : Tensor{}};
  }
  MlpGrads gradients() {
    return {fc1.gradient(), tape.target(p.fc1_bias), fc2.gradient(),
            p.fc2_bias ? tape.target(*p.fc2_bias) : GradTarget{}};
  }
};

void check_mlp_parameters(const FeedForwardForm& form, const MlpParameters& p, std::int64_t width) {
  const std::int64_t units = p.fc2.shape[1], hidden_width = form.rows_per_unit * units;
  check_shape(form.name, p.fc1.name, p.fc1.shape, {hidden_width, width});
  check_shape(form.name, p.fc1_bias.name, p.fc1_bias.shape, {hidden_width});
  check_shape(form.name, p.fc2.name, p.fc2.shape, {width, units});
  if (p.fc2_bias != nullptr) check_shape(form.name, p.fc2_bias->name, p.fc2_bias->shape, {width});
}

Var feed_forward(const FeedForwardForm& form, Tape& tape, const Var& x, const MlpParameters& p,
                 KeepActivated keep) {
  check_mlp_parameters(form, p, x.shape().columns());
  const std::int64_t rows = x.shape().rows();
  const double flops = 2.0 * static_cast<double>(rows) *
                       static_cast<double>(p.fc1.shape.elements() + p.fc2.shape.elements());
  Var hidden = tape.recording() ? tape.make({rows, p.fc1.shape[0]}) : Var{};
  Var activated = hidden && keep == KeepActivated::kYes ? tape.make({rows, p.fc2.shape[1]}) : Var{};
  Var y = tape.make(x.shape());
  {
    const MlpUse used{tape, p};
    Profiler::Scope scope(tape.profiler(), form.forward_scope, flops);
    form.forward(backend_of(tape), as_matrix(x.tensor()), used.weights(),
                 {tensor_of(hidden), tensor_of(activated)}, as_matrix(y.tensor()));
  }
  tape.record(form.name, y,
              {&p.fc1, &p.fc1_bias, &p.fc2, p.fc2_bias, scale_of(p.fc1), scale_of(p.fc2)},
              [&form, x, dx = x.grad(), hidden, activated, p, flops](Tape& t, OutputGrad& dy) {
                MlpUse used{t, p};
                {
                  Profiler::Scope scope(t.profiler(), form.backward_scope, 2 * flops);
                  form.backward(backend_of(t), as_matrix(dy.tensor()), as_matrix(x.tensor()),
                                {tensor_of(hidden), tensor_of(activated)}, used.weights(),
                                as_matrix(t.target(dx)), used.gradients());
                }
                used.fc1.finish();
                used.fc2.finish();
              });
  return y;
}

}  // namespace

Var mlp(Tape& tape, const Var& x, const MlpParameters& p, KeepActivated keep) {
  return feed_forward(kGeluForm, tape, x, p, keep);
}

Var swiglu(Tape& tape, const Var& x, const MlpParameters& p) {
  return feed_forward(kSwigluForm, tape, x, p, KeepActivated::kNo);
}

}  // namespace edt
