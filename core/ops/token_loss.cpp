#include "core/ops/token_loss.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

void check_inputs(const Var& tokens, const TokenLossInputs& in, const Tensor& losses) {
  const Shape shape = tokens.shape();
  const std::int64_t group = in.distance.group;
  require(shape.rank() == 3 && group >= 1 && shape[2] % group == 0, "token_loss",
          "tokens are {}, expected [B, T, a multiple of {}]", to_string(shape), group);
  require(in.distance.kind != Distance::kSmoothL1 || in.distance.beta > 0, "token_loss",
          "beta of smooth L1 is {}, must be above 0", in.distance.beta);
  require(in.distance.temperature > 0 && in.distance.target_temperature > 0, "token_loss",
          "temperatures are {} and {}, must be above 0", in.distance.temperature,
          in.distance.target_temperature);
  check_shape("token_loss", "target", in.target.shape(), shape);
  check_shape("token_loss", "factors", in.factors.shape, {shape[0]});
  check_shape("token_loss", "weights", in.weights.shape, {shape[0]});
  check_shape("token_loss", "losses", losses.shape, {shape[0]});
}

}  // namespace

Var token_loss(Tape& tape, const Var& tokens, const TokenLossInputs& inputs, const Tensor& losses) {
  check_inputs(tokens, inputs, losses);
  Var mean = tape.make({1}, tape.accurate_dtype());
  {
    Profiler::Scope scope(tape.profiler(), "token_loss.forward");
    backend_of(tape).token_loss_forward(tokens.tensor(), inputs.target.tensor(), inputs.factors,
                                        inputs.weights, inputs.distance, losses, mean.tensor());
  }
  tape.record("token_loss", mean, {}, [tokens, inputs](Tape& t, OutputGrad& dmean) {
    Profiler::Scope scope(t.profiler(), "token_loss.backward");
    backend_of(t).token_loss_backward(dmean.tensor(), tokens.tensor(), inputs.target.tensor(),
                                      inputs.factors, inputs.weights, inputs.distance,
                                      t.target(tokens.grad()));
  });
  return mean;
}

}  // namespace edt
