#include "core/ops/picture/convolution.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

void check(const Var& x, const PackedConvolution& weights) {
  const ConvolutionForm& form = weights.form();
  const Shape shape = x.shape();
  require(shape.rank() == 4 && shape[3] == form.inputs && x.dtype() == weights.dtype(),
          "convolution", "input is {} in {}, expected [N, H, W, {}] in {}", to_string(shape),
          name_of(x.dtype()), form.inputs, name_of(weights.dtype()));
  require(form.result_of(shape)[1] >= 1 && form.result_of(shape)[2] >= 1, "convolution",
          "input is {}, too small for {}", to_string(shape), to_string(form));
}

void run(Tape& tape, const Var& x, const PackedConvolution& weights, const Var& y,
         const ConvolutionEnd& end) {
  Profiler::Scope scope(tape.profiler(), "convolution.forward", weights.form().flops(x.shape()));
  backend_of(tape).convolution(weights, x.tensor(), y.tensor(), end);
}

}  // namespace

std::string to_string(const ConvolutionForm& form) {
  std::string text = fmt::format("{} -> {}, {}x{}", form.inputs, form.outputs, form.kernel_rows(),
                                 form.kernel_columns());
  if (form.stride != 1) text += fmt::format(", stride {}", form.stride);
  if (form.groups != 1) text += fmt::format(", {} groups", form.groups);
  if (form.before != form.after) text += fmt::format(", zeros {}+{}", form.before, form.after);
  if (form.doubled) text += ", doubled";
  return text;
}

Var convolution(Tape& tape, const Var& x, const PackedConvolution& weights,
                PictureActivation activation) {
  check(x, weights);
  Var y = tape.make(weights.form().result_of(x.shape()), weights.dtype());
  run(tape, x, weights, y, {.add = false, .activation = activation});
  return y;
}

void add_convolution(Tape& tape, const Var& x, const PackedConvolution& weights, const Var& y,
                     PictureActivation activation) {
  check(x, weights);
  check_shape("convolution", "the picture that is added to", y.shape(),
              weights.form().result_of(x.shape()));
  require(y.dtype() == weights.dtype(), "convolution", "adds {} to {}", name_of(weights.dtype()),
          name_of(y.dtype()));
  run(tape, x, weights, y, {.add = true, .activation = activation});
}

}  // namespace edt
