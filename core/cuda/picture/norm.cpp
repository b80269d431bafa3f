#include "core/cuda/backend.h"
#include "core/cuda/kernels/picture.h"
#include "core/cuda/typed.h"

namespace edt {

void CudaBackend::group_norm(T x, T weight, T bias, const GroupNormForm& form, T y) {
  constexpr std::int64_t kSlice = 128;  // pixels
  const std::int64_t batch = x.shape[0], pixels = x.shape[1] * x.shape[2], channels = x.shape[3];
  check_batch("group_norm", batch);
  const std::int64_t slices = divide_up(pixels, kSlice);
  float* moments = scratch_.floats(ScratchSlot::kMoments, batch * (slices + 1) * 2 * channels);
  launch_group_norm(stream(), {.in = element_of(x),
                               .out = element_of(y),
                               .x = x.data,
                               .y = y.data,
                               .batch = batch,
                               .pixels = pixels,
                               .channels = channels,
                               .groups = form.groups,
                               .slice = kSlice,
                               .slices = slices,
                               .weight = weight.as<float>(),
                               .bias = bias.as<float>(),
                               .epsilon = static_cast<float>(form.epsilon),
                               .activation = form.activation,
                               .moments = moments,
                               .factors = moments + batch * slices * 2 * channels});
}

void CudaBackend::channel_rms_norm(T x, T weight, T bias, double epsilon,
                                   PictureActivation activation, T residual, T y) {
  EDT_ASSERT(!residual.defined() || residual.dtype == y.dtype);
  launch_channel_rms_norm(stream(), {.in = element_of(x),
                                     .out = element_of(y),
                                     .x = x.data,
                                     .residual = residual.data,
                                     .y = y.data,
                                     .pixels = x.shape.rows(),
                                     .channels = x.shape[3],
                                     .weight = weight.as<float>(),
                                     .bias = bias.as<float>(),
                                     .epsilon = static_cast<float>(epsilon),
                                     .activation = activation});
}

}  // namespace edt
