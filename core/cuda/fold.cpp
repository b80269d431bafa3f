#include "core/ops/fold.h"

#include "core/cuda/backend.h"
#include "core/cuda/kernels/fold.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

TokenFoldCall fold_call(std::string_view op, const Tensor& fine, const Tensor& folded,
                        const TokenGrid& grid, std::int64_t side) {
  require<NotImplemented>(fine.elements() < (std::int64_t{1} << 31), "cuda",
                          "{}: {} elements in one call, fewer than 2^31 are needed", op,
                          fine.elements());
  EDT_ASSERT(fine.dtype == folded.dtype && fine.elements() == folded.elements());
  return {.dtype = element_of(fine),
          .rows = static_cast<int>(grid.rows),
          .columns = static_cast<int>(grid.columns),
          .side = static_cast<int>(side),
          .channels = fine.shape[2],
          .elements = fine.elements()};
}

}  // namespace

void CudaBackend::fold_tokens(T x, Grid grid, Int side, G y) {
  if (!y.wanted()) return;
  launch_fold_tokens(stream(), fold_call("fold_tokens", x, y.tensor, grid, side), x.data,
                     y.tensor.data, y.accumulate);
}

void CudaBackend::unfold_tokens(T x, Grid grid, Int side, G y) {
  if (!y.wanted()) return;
  launch_unfold_tokens(stream(), fold_call("unfold_tokens", y.tensor, x, grid, side), x.data,
                       y.tensor.data, y.accumulate);
}

}  // namespace edt
