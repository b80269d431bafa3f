#include "core/ops/token_group_norm.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {

Var token_group_norm(Tape& tape, const Var& x, Parameter& weight, Parameter& bias,
                     std::int64_t groups) {
  constexpr auto kOp = "token_group_norm";
  require(x.shape().rank() == 3, kOp, "input is {}, expected [B, T, C]", to_string(x.shape()));
  const std::int64_t channels = x.shape()[2];
  require(groups >= 1 && channels % groups == 0, kOp, "{} channels in {} groups", channels, groups);
  check_shape(kOp, weight.name, weight.shape, {channels});
  check_shape(kOp, bias.name, bias.shape, {channels});
  const Var y = tape.make(x.shape());
  const Var stats = tape.make({x.shape()[0], groups, 2}, tape.accurate_dtype());
  {
    const Profiler::Scope scope(tape.profiler(), "token_group_norm.forward");
    backend_of(tape).token_group_norm_forward(x.tensor(), tape.read(weight), tape.read(bias),
                                              stats.tensor(), y.tensor());
  }
  tape.record("token_group_norm", y, {&weight, &bias},
              [x, dx = x.grad(), stats, &weight, &bias](Tape& t, OutputGrad& dy) {
                const Profiler::Scope scope(t.profiler(), "token_group_norm.backward");
                backend_of(t).token_group_norm_backward(dy.tensor(), x.tensor(), t.read(weight),
                                                        t.read(bias), stats.tensor(), t.target(dx),
                                                        t.target(weight), t.target(bias));
              });
  return y;
}

}  // namespace edt
