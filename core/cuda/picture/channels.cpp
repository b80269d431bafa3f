#include "core/cuda/backend.h"
#include "core/cuda/kernels/picture.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

PixelFoldCall fold_call(const Tensor& large, const Tensor& small, std::int64_t r,
                        std::int64_t group, std::int64_t elements) {
  return {.dtype = element_of(large),
          .r = r,
          .group = group,
          .height = large.shape[1],
          .width = large.shape[2],
          .channels = large.shape[3],
          .small_channels = small.shape[3],
          .elements = elements};
}

}  // namespace

void CudaBackend::fold_pixels(T x, std::int64_t r, std::int64_t group, T y) {
  launch_fold_pixels(stream(), fold_call(x, y, r, group, y.elements()), x.data, y.data);
}

void CudaBackend::unfold_pixels(T x, std::int64_t r, std::int64_t repeats, T y) {
  launch_unfold_pixels(stream(), fold_call(y, x, r, repeats, y.elements()), x.data, y.data);
}

void CudaBackend::gated_silu(T x, T y) {
  launch_gated_silu(stream(), element_of(x), x.data, y.data, y.shape.rows(), y.shape[3]);
}

void CudaBackend::join_channels(T a, T b, T y) {
  EDT_ASSERT(a.dtype == y.dtype && b.dtype == y.dtype);
  launch_join_columns(stream(), element_of(y), a.data, a.shape[3], b.data, b.shape[3], y.data,
                      y.shape.rows());
}

}  // namespace edt
