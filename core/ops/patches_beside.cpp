#include "core/ops/patches_beside.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

Var with_positions(Tape& tape, const Var& x, const Tensor& positions) {
  check_shape("patch_embedding", "position table", positions.shape, {x.shape()[1], x.shape()[2]});
  Var y = tape.make(x.shape());
  {
    Profiler::Scope scope(tape.profiler(), "tokens.forward");
    backend_of(tape).add_positions_forward(x.tensor(), positions, y.tensor());
  }
  tape.record("with_positions", y, {}, [dx = x.grad()](Tape&, OutputGrad& dy) { dy.give_to(dx); });
  return y;
}

}  // namespace

Var patch_embedding(Tape& tape, const PatchesBeside& inputs, Parameter& weight, Parameter& bias,
                    const Tensor& positions) {
  const Shape &image = inputs.image.shape, &beside = inputs.beside.shape;
  const std::int64_t patch = inputs.patch;
  require(image.rank() == 4 && image[2] % patch == 0 && image[3] % patch == 0, "patch_embedding",
          "{}: image is {}, patch is {}", weight.name, to_string(image), patch);
  const std::int64_t tokens = image[2] / patch * (image[3] / patch);
  check_shape("patch_embedding", "what stands beside the patches", beside,
              {image[0], tokens, beside.columns()});
  const Var patches = tape.make({image[0], tokens, image[1] * patch * patch});
  const Var others = tape.make(beside);
  {
    Profiler::Scope scope(tape.profiler(), "layout.forward");
    backend_of(tape).patchify(inputs.image, patch, patches.tensor());
    tape.device().copy(inputs.beside, others.tensor());
  }
  const Var y = concat_linear(tape, patches, others, weight, bias);
  return positions.defined() ? with_positions(tape, y, positions) : y;
}

}  // namespace edt
