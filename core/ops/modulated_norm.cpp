#include "core/ops/modulated_norm.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

struct Modulation {
  Columns shift, scale;
};

Modulation columns_of(const Tensor& modulation, std::int64_t width, ModulationChunks chunks) {
  const Columns scale{modulation, chunks.scale * width, width};
  if (chunks.shift == ModulationChunks::kNoShift) return {{}, scale};
  return {{modulation, chunks.shift * width, width}, scale};
}

void check_modulation(std::string_view op, const Var& x, const Var& modulation, std::int64_t width,
                      ModulationChunks chunks) {
  const std::int64_t last = std::max(chunks.shift, chunks.scale);
  require(modulation.shape().rank() == 2 && modulation.shape()[0] == x.shape()[0] &&
              modulation.shape()[1] >= (last + 1) * width,
          op, "modulation is {}, input is {}, chunk {} of width {} is needed",
          to_string(modulation.shape()), to_string(x.shape()), last, width);
}

}  // namespace

Var modulated_norm(Tape& tape, const Var& x, const Var& modulation, ModulationChunks chunks) {
  require(x.shape().rank() == 3, "modulated_norm", "input is {}, expected [B, T, D]",
          to_string(x.shape()));
  const std::int64_t width = x.shape()[2];
  check_modulation("modulated_norm", x, modulation, width, chunks);
  Var y = tape.make(x.shape());
  Var stats = tape.make({x.shape().rows(), 2}, tape.accurate_dtype());
  {
    Profiler::Scope scope(tape.profiler(), "modulated_norm.forward");
    const auto [shift, scale] = columns_of(modulation.tensor(), width, chunks);
    backend_of(tape).modulated_norm_forward(x.tensor(), shift, scale, y.tensor(), stats.tensor());
  }
  tape.record(
      "modulated_norm", y, {},
      [x, dx = x.grad(), modulation, stats, width, chunks](Tape& t, OutputGrad& dy) {
        Profiler::Scope scope(t.profiler(), "modulated_norm.backward");
        const auto [dshift, dscale] = columns_of(t.accumulator(modulation.grad()), width, chunks);
        backend_of(t).modulated_norm_backward(dy.tensor(), x.tensor(), stats.tensor(),
                                              columns_of(modulation.tensor(), width, chunks).scale,
                                              t.target(dx), dshift, dscale);
      });
  return y;
}

Var modulated_rms_norm(Tape& tape, const Var& x, Parameter& weight, const Var& modulation,
                       ModulationChunks chunks) {
  require(x.shape().rank() == 3, "modulated_rms_norm", "input is {}, expected [B, T, D]",
          to_string(x.shape()));
  const std::int64_t width = x.shape()[2];
  check_shape("modulated_rms_norm", weight.name, weight.shape, {width});
  check_modulation("modulated_rms_norm", x, modulation, width, chunks);
  Var y = tape.make(x.shape());
  Var stats = tape.make({x.shape().rows(), 2}, tape.accurate_dtype());
  {
    Profiler::Scope scope(tape.profiler(), "modulated_norm.forward");
    const auto [shift, scale] = columns_of(modulation.tensor(), width, chunks);
    backend_of(tape).modulated_rms_norm_forward(x.tensor(), tape.read(weight), shift, scale,
                                                y.tensor(), stats.tensor());
  }
  tape.record(
      "modulated_rms_norm", y, {&weight},
      [x, dx = x.grad(), &weight, modulation, stats, width, chunks](Tape& t, OutputGrad& dy) {
        Profiler::Scope scope(t.profiler(), "modulated_norm.backward");
        const auto [dshift, dscale] = columns_of(t.accumulator(modulation.grad()), width, chunks);
        backend_of(t).modulated_rms_norm_backward(
            dy.tensor(), x.tensor(), t.read(weight), stats.tensor(),
            columns_of(modulation.tensor(), width, chunks).scale, t.target(dx), t.target(weight),
            dshift, dscale);
      });
  return y;
}

Var merge_norm(Tape& tape, const Var& x, const TokenGrid& grid, const Var& modulation,
               const Tensor& mask) {
  require(x.shape().rank() == 3, "merge_norm", "input is {}, expected [B, T, C]",
          to_string(x.shape()));
  const std::int64_t batch = x.shape()[0], tokens = x.shape()[1], width = 4 * x.shape()[2];
  check_grid("merge_norm", grid, tokens);
  require(grid.rows % 2 == 0 && grid.columns % 2 == 0, "merge_norm",
          "the grid of {} tokens has an odd side", to_string(grid));
  if (mask.defined()) check_shape("merge_norm", "mask", mask.shape, {batch, tokens});
  check_modulation("merge_norm", x, modulation, width, {});
  Var y = tape.make({batch, tokens / 4, width});
  Var stats = tape.make({y.shape().rows(), 2}, tape.accurate_dtype());
  {
    Profiler::Scope scope(tape.profiler(), "merge_norm.forward");
    const auto [shift, scale] = columns_of(modulation.tensor(), width, {});
    backend_of(tape).merge_norm_forward(x.tensor(), grid, shift, scale, mask, y.tensor(),
                                        stats.tensor());
  }
  tape.record("merge_norm", y, {},
              [x, dx = x.grad(), grid, modulation, stats, mask, width](Tape& t, OutputGrad& dy) {
                Profiler::Scope scope(t.profiler(), "merge_norm.backward");
                const auto [dshift, dscale] =
                    columns_of(t.accumulator(modulation.grad()), width, {});
                backend_of(t).merge_norm_backward(dy.tensor(), x.tensor(), grid, stats.tensor(),
                                                  columns_of(modulation.tensor(), width, {}).scale,
                                                  mask, t.target(dx), dshift, dscale);
              });
  return y;
}

Var concat_norm(Tape& tape, const Var& a, const Var& b, const Var& modulation) {
  check_shape("concat_norm", "second input", b.shape(), a.shape());
  require(a.shape().rank() == 3, "concat_norm", "input is {}, expected [B, T, C]",
          to_string(a.shape()));
  const std::int64_t width = 2 * a.shape()[2];
  check_modulation("concat_norm", a, modulation, width, {});
  Var y = tape.make({a.shape()[0], a.shape()[1], width});
  Var stats = tape.make({y.shape().rows(), 2}, tape.accurate_dtype());
  {
    Profiler::Scope scope(tape.profiler(), "concat_norm.forward");
    const auto [shift, scale] = columns_of(modulation.tensor(), width, {});
    backend_of(tape).concat_norm_forward(a.tensor(), b.tensor(), shift, scale, y.tensor(),
                                         stats.tensor());
  }
  tape.record(
      "concat_norm", y, {},
      [a, b, da = a.grad(), db = b.grad(), modulation, stats, width](Tape& t, OutputGrad& dy) {
        Profiler::Scope scope(t.profiler(), "concat_norm.backward");
        const auto [dshift, dscale] = columns_of(t.accumulator(modulation.grad()), width, {});
        backend_of(t).concat_norm_backward(dy.tensor(), a.tensor(), b.tensor(), stats.tensor(),
                                           columns_of(modulation.tensor(), width, {}).scale,
                                           t.target(da), t.target(db), dshift, dscale);
      });
  return y;
}

}  // namespace edt
