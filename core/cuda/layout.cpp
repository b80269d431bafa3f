#include "core/cuda/kernels/layout.h"
#include "core/cuda/backend.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

// Kernels of this family index with 32 bits.
void check_elements(std::string_view op, std::int64_t elements) {
  require<NotImplemented>(elements < (std::int64_t{1} << 31), "cuda",
                          "{}: {} elements in one call, fewer than 2^31 are needed", op, elements);
}

PatchCall patch_call(std::string_view op, PatchOrder order, const Tensor& image,
                     const Tensor& tokens, std::int64_t patch) {
  check_elements(op, image.elements());
  EDT_ASSERT(tokens.elements() == image.elements());
  return {.dtype = element_of(tokens),
          .order = order,
          .channels = static_cast<int>(image.shape[1]),
          .height = static_cast<int>(image.shape[2]),
          .width = static_cast<int>(image.shape[3]),
          .patch = static_cast<int>(patch),
          .pixels = image.elements()};
}

ShuffleCall shuffle_call(const Tensor& x, const TokenGrid& grid) {
  check_elements("pixel_shuffle", x.elements());
  return {.dtype = element_of(x),
          .rows = static_cast<int>(grid.rows),
          .columns = static_cast<int>(grid.columns),
          .channels = x.shape[2] / 4,
          .elements = x.elements()};
}

MaskCall mask_call(const Tensor& x, const Tensor& mask) {
  check_elements("mask_tokens", x.elements());
  return {.dtype = element_of(x),
          .tokens = x.shape[1],
          .width = x.shape[2],
          .elements = x.elements(),
          .mask = mask.as<float>()};
}

}  // namespace

void CudaBackend::patchify(T image, std::int64_t patch, T patches) {
  launch_patchify(stream(),
                  patch_call("patchify", PatchOrder::kChannelFirst, image, patches, patch),
                  image.as<float>(), patches.data);
}

void CudaBackend::unpatchify(T tokens, std::int64_t patch, T image) {
  launch_unpatchify(stream(),
                    patch_call("unpatchify", PatchOrder::kChannelLast, image, tokens, patch),
                    tokens.data, image.as<float>());
}

void CudaBackend::pixel_shuffle_forward(T x, Grid grid, T y) {
  launch_shuffle(stream(), shuffle_call(x, grid), x.data, y.data);
}

void CudaBackend::pixel_shuffle_backward(T dy, Grid grid, G dx) {
  launch_unshuffle(stream(), shuffle_call(dx.tensor, grid), dy.data, dx.tensor.data, dx.accumulate);
}

void CudaBackend::mask_tokens_forward(T x, T mask, T positions, T y) {
  EDT_ASSERT(positions.dtype == x.dtype);
  launch_mask(stream(), mask_call(x, mask), x.data, positions.data, y.data);
}

void CudaBackend::mask_tokens_backward(T dy, T mask, G dx) {
  launch_mask_backward(stream(), mask_call(dy, mask), dy.data, dx.tensor.data, dx.accumulate);
}

void CudaBackend::swap_leading_axes(T x, G y) {
  check_elements("swap_leading_axes", x.elements());
  EDT_ASSERT(y.tensor.dtype == x.dtype);
  launch_swap(stream(),
              {.dtype = element_of(x), .a = x.shape[0], .b = x.shape[1], .columns = x.shape[2]},
              x.data, y.tensor.data, y.accumulate);
}

}  // namespace edt
