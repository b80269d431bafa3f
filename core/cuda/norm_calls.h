// What norms check before their kernels are started.
#pragma once

#include <string_view>

#include "core/cuda/kernels/norm.h"
#include "core/cuda/typed.h"

namespace edt {

// Within a sample the kernels count elements in 32 bits.
inline void check_norm(std::string_view op, const RowPlan& plan, const NormCall& call) {
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  check_rows(op, plan, call.batch, call.width);
  require<NotImplemented>(call.tokens * call.width < kMost, "cuda",
                          "{}: samples of {} x {} elements, at most 2^31", op, call.tokens,
                          call.width);
}

}  // namespace edt
