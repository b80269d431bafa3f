#include "core/ops/picture/pooling.h"

#include <algorithm>

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {

Var pool(Tape& tape, const Var& x, const PoolForm& form) {
  const Shape s = x.shape();
  require(s.rank() == 4 && form.stride >= 1 && form.padding >= 0 &&
              2 * form.padding <= std::min(form.kernel_rows, form.kernel_columns) &&
              s[1] + 2 * form.padding >= form.kernel_rows &&
              s[2] + 2 * form.padding >= form.kernel_columns,
          "pool", "input is {}: {} x {} pixels, {} around the picture", to_string(s),
          form.kernel_rows, form.kernel_columns, form.padding);
  const auto places = [&](std::int64_t side, std::int64_t kernel) {
    return (side + 2 * form.padding - kernel) / form.stride + 1;
  };
  Var y = tape.make({s[0], places(s[1], form.kernel_rows), places(s[2], form.kernel_columns), s[3]},
                    x.dtype());
  Profiler::Scope scope(tape.profiler(), "pool.forward");
  backend_of(tape).pool(x.tensor(), form, y.tensor());
  return y;
}

Var mean_pixel(Tape& tape, const Var& x) {
  const Shape s = x.shape();
  require(s.rank() == 4, "mean_pixel", "input is {}, expected [N, H, W, C]", to_string(s));
  return pool(tape, x, {.kind = PoolKind::kMean, .kernel_rows = s[1], .kernel_columns = s[2]});
}

}  // namespace edt
