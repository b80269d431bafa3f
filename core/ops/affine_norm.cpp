#include "core/ops/affine_norm.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

struct FoldedChunks {
  Columns shift, scale;
};

// Of an undefined tensor: without tensors.
FoldedChunks chunks_of(const Tensor& modulation, std::int64_t width, ModulationChunks chunks) {
  return {{modulation, chunks.shift * width, width}, {modulation, chunks.scale * width, width}};
}

// [B, 2 D]
Var fold_affine(Tape& tape, std::int64_t batch, Parameter& weight, Parameter& bias,
                const Var& modulation, ModulationChunks chunks) {
  const std::int64_t width = weight.shape[0];
  const auto columns = [=](const Var& of) {
    return chunks_of(of ? of.tensor() : Tensor{}, width, chunks);
  };
  Var y = tape.make({batch, 2 * width});
  {
    Profiler::Scope scope(tape.profiler(), "affine_norm.forward");
    const auto [shift, scale] = columns(modulation);
    backend_of(tape).fold_affine_forward(tape.read(weight), tape.read(bias), shift, scale,
                                         y.tensor());
  }
  tape.record("fold_affine", y, {&weight, &bias},
              [modulation, columns, &weight, &bias, width, chunks](Tape& t, OutputGrad& dy) {
                Profiler::Scope scope(t.profiler(), "affine_norm.backward");
                const auto [dshift, dscale] =
                    chunks_of(t.accumulator(modulation.grad()), width, chunks);
                backend_of(t).fold_affine_backward(dy.tensor(), t.read(weight), t.read(bias),
                                                   columns(modulation).scale, dshift, dscale,
                                                   t.target(weight), t.target(bias));
              });
  return y;
}

}  // namespace

Var affine_norm(Tape& tape, const Var& x, Parameter& weight, Parameter& bias, const Var& modulation,
                ModulationChunks chunks) {
  constexpr std::string_view kOp = "affine_norm";
  const Shape& shape = x.shape();
  require(shape.rank() == 3, kOp, "input is {}, expected [B, T, D]", to_string(shape));
  const std::int64_t batch = shape[0], width = shape[2];
  check_shape(kOp, weight.name, weight.shape, {width});
  check_shape(kOp, bias.name, bias.shape, {width});
  if (modulation) {
    const std::int64_t last = std::max(chunks.shift, chunks.scale);
    require(chunks.shift >= 0 && modulation.shape().rank() == 2 && modulation.shape()[0] == batch &&
                modulation.shape()[1] >= (last + 1) * width,
            kOp, "modulation is {}, input is {}, chunks {} and {} of width {} are needed",
            to_string(modulation.shape()), to_string(shape), chunks.shift, chunks.scale, width);
  }
  const Var folded = fold_affine(tape, batch, weight, bias, modulation, chunks);
  Var y = tape.make(shape);
  Var stats = tape.make({shape.rows(), 2}, tape.accurate_dtype());
  {
    Profiler::Scope scope(tape.profiler(), "affine_norm.forward");
    const auto [shift, scale] = chunks_of(folded.tensor(), width, {});
    backend_of(tape).affine_norm_forward(x.tensor(), shift, scale, y.tensor(), stats.tensor());
  }
  tape.record("affine_norm", y, {},
              [x, dx = x.grad(), folded, stats, width](Tape& t, OutputGrad& dy) {
                Profiler::Scope scope(t.profiler(), "affine_norm.backward");
                const auto [dshift, dscale] = chunks_of(t.accumulator(folded.grad()), width, {});
                backend_of(t).affine_norm_backward(dy.tensor(), x.tensor(), stats.tensor(),
                                                   chunks_of(folded.tensor(), width, {}).scale,
                                                   t.target(dx), dshift, dscale);
              });
  return y;
}

}  // namespace edt
