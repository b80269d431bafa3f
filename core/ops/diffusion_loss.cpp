#include "core/ops/diffusion_loss.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

void check_inputs(const Var& tokens, const LossInputs& in) {
  const Shape& image = in.x_start.shape;
  require(image.rank() == 4, "diffusion_loss", "x_start is {}, expected [B, C, H, W]",
          to_string(image));
  check_shape("diffusion_loss", "x_t", in.x_t.shape, image);
  check_shape("diffusion_loss", "noise", in.noise.shape, image);
  check_shape("diffusion_loss", "coefficients", in.coefficients.shape,
              {image[0], LossCoefficient::kCount});
  check_shape("diffusion_loss", "sample weights", in.sample_weights.shape, {image[0]});
  check_shape(
      "diffusion_loss", "tokens", tokens.shape(),
      {image[0], image[2] / in.patch * (image[3] / in.patch), in.patch * in.patch * 2 * image[1]});
}

}  // namespace

Var diffusion_loss(Tape& tape, const Var& tokens, const LossInputs& inputs, const Tensor& mse,
                   const Tensor& vb) {
  check_inputs(tokens, inputs);
  Var mean = tape.make({1}, tape.accurate_dtype());
  {
    Profiler::Scope scope(tape.profiler(), "diffusion_loss.forward");
    backend_of(tape).diffusion_loss_forward(
        tokens.tensor(), inputs.x_start, inputs.x_t, inputs.noise, inputs.coefficients,
        inputs.sample_weights, inputs.patch, mse, vb, mean.tensor());
  }
  tape.record("diffusion_loss", mean, {}, [tokens, inputs](Tape& t, OutputGrad& dmean) {
    Profiler::Scope scope(t.profiler(), "diffusion_loss.backward");
    backend_of(t).diffusion_loss_backward(
        dmean.tensor(), tokens.tensor(), inputs.x_start, inputs.x_t, inputs.noise,
        inputs.coefficients, inputs.sample_weights, inputs.patch, t.target(tokens.grad()));
  });
  return mean;
}

}  // namespace edt
