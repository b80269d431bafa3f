#include "core/ops/picture/norm.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

void check_weights(std::string_view op, const Var& x, const Tensor& weight, const Tensor& bias) {
  require(x.shape().rank() == 4, op, "input is {}, expected [N, H, W, C]", to_string(x.shape()));
  check_shape(op, "weight", weight.shape, {x.shape()[3]});
  check_shape(op, "bias", bias.shape, {x.shape()[3]});
}

}  // namespace

Var group_norm(Tape& tape, const Var& x, const Tensor& weight, const Tensor& bias,
               const GroupNormForm& form, DType result) {
  check_weights("group_norm", x, weight, bias);
  require(form.groups >= 1 && x.shape()[3] % form.groups == 0, "group_norm",
          "{} channels in {} groups", x.shape()[3], form.groups);
  Var y = tape.make(x.shape(), result);
  Profiler::Scope scope(tape.profiler(), "group_norm.forward");
  backend_of(tape).group_norm(x.tensor(), weight, bias, form, y.tensor());
  return y;
}

Var channel_rms_norm(Tape& tape, const Var& x, const Tensor& weight, const Tensor& bias,
                     double epsilon, PictureActivation activation, const Var& residual,
                     DType result) {
  check_weights("channel_rms_norm", x, weight, bias);
  if (residual) check_shape("channel_rms_norm", "residual", residual.shape(), x.shape());
  Var y = tape.make(x.shape(), result);
  Profiler::Scope scope(tape.profiler(), "channel_rms_norm.forward");
  backend_of(tape).channel_rms_norm(x.tensor(), weight, bias, epsilon, activation,
                                    residual ? residual.tensor() : Tensor{}, y.tensor());
  return y;
}

}  // namespace edt
