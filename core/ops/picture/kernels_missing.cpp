// As core/ops/kernels_missing.cpp: a kernel that a backend does not override fails by name.
#include "core/ops/backend.h"

namespace edt {

#define EDT_LACKS(family, kernel, ...) \
  void family::kernel(__VA_ARGS__) { lacks(#kernel); }

using T = const Tensor&;

std::unique_ptr<PackedConvolution> ConvolutionKernels::pack_convolution(const ConvolutionForm&,
                                                                        std::span<const float>,
                                                                        std::span<const float>,
                                                                        DType) {
  lacks("pack_convolution");
}
EDT_LACKS(ConvolutionKernels, convolution, const PackedConvolution&, T, T, const ConvolutionEnd&)
EDT_LACKS(PictureNormKernels, group_norm, T, T, T, const GroupNormForm&, T)
EDT_LACKS(PictureNormKernels, channel_rms_norm, T, T, T, double, PictureActivation, T, T)
EDT_LACKS(PictureAttentionKernels, wide_attention, T, T, T, T)
EDT_LACKS(PictureAttentionKernels, relu_linear_attention, T, std::int64_t, double, T)
EDT_LACKS(ChannelKernels, fold_pixels, T, std::int64_t, std::int64_t, T)
EDT_LACKS(ChannelKernels, unfold_pixels, T, std::int64_t, std::int64_t, T)
EDT_LACKS(ChannelKernels, gated_silu, T, T)
EDT_LACKS(ChannelKernels, join_channels, T, T, T)

#undef EDT_LACKS

}  // namespace edt
