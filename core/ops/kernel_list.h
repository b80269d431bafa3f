// Every kernel of a backend, once: family, what bounds its speed, name, arguments. From this list
// come each backend's declarations, the defaults that fail by name (kernels_missing.cpp) and the
// planner's recording backend (model/plan/recording_backend.cpp).
//
// The kernels of pictures (core/ops/picture), which no step that trains calls, are a list of their
// own: nothing plans them.
//
// Bounds: kMatrix by the matrix units where it is large, kAttention the same at another share of
// them, kRows by memory.
#pragma once

#include "core/ops/backend.h"

namespace edt::kernel_list {

using T = const Tensor&;
using G = const GradTarget&;
using C = const Columns&;
using Visible = const VisibleTokens&;
using Grid = const TokenGrid&;
using How = const TokenDistance&;
using Int = std::int64_t;

}  // namespace edt::kernel_list

// KERNEL(family, bound, name, arguments...) for each; where it is used the names of
// edt::kernel_list stand for the types.
#define EDT_KERNELS(KERNEL)                                                                      \
  KERNEL(LinearKernels, kMatrix, linear_forward, T, T, T, T, T)                                  \
  KERNEL(LinearKernels, kMatrix, linear_backward_input, T, T, G)                                 \
  KERNEL(LinearKernels, kMatrix, linear_backward_weight, T, T, G, G)                             \
  KERNEL(LinearKernels, kMatrix, concat_linear_forward, T, T, T, T, T)                           \
  KERNEL(LinearKernels, kMatrix, concat_linear_backward_input, T, T, G, G)                       \
  KERNEL(LinearKernels, kMatrix, concat_linear_backward_weight, T, T, T, G, G)                   \
  KERNEL(BiasKernels, kRows, add_bias_forward, T, T, T)                                          \
  KERNEL(BiasKernels, kRows, add_bias_backward, T, G)                                            \
  KERNEL(MlpKernels, kMatrix, mlp_forward, T, const MlpWeights&, const MlpHidden&, T)            \
  KERNEL(MlpKernels, kMatrix, mlp_backward, T, T, const MlpHidden&, const MlpWeights&, G,        \
         const MlpGrads&)                                                                        \
  KERNEL(MlpKernels, kMatrix, swiglu_forward, T, const MlpWeights&, T, T)                        \
  KERNEL(MlpKernels, kMatrix, swiglu_backward, T, T, T, const MlpWeights&, G, const MlpGrads&)   \
  KERNEL(ActivationKernels, kRows, activation_forward, Activation, T, T)                         \
  KERNEL(ActivationKernels, kRows, activation_backward, Activation, T, T, G)                     \
  KERNEL(ActivationKernels, kRows, silu_gate_forward, T, T)                                      \
  KERNEL(ActivationKernels, kRows, silu_gate_backward, T, T, G)                                  \
  KERNEL(ActivationKernels, kRows, add_forward, T, T, T)                                         \
  KERNEL(ModulatedNormKernels, kRows, modulated_norm_forward, T, C, C, T, T)                     \
  KERNEL(ModulatedNormKernels, kRows, modulated_norm_backward, T, T, T, C, G, C, C)              \
  KERNEL(ModulatedNormKernels, kRows, merge_norm_forward, T, Grid, C, C, T, T, T)                \
  KERNEL(ModulatedNormKernels, kRows, merge_norm_backward, T, T, Grid, T, C, T, G, C, C)         \
  KERNEL(ModulatedNormKernels, kRows, concat_norm_forward, T, T, C, C, T, T)                     \
  KERNEL(ModulatedNormKernels, kRows, concat_norm_backward, T, T, T, T, C, G, G, C, C)           \
  KERNEL(ModulatedNormKernels, kRows, modulated_rms_norm_forward, T, T, C, C, T, T)              \
  KERNEL(ModulatedNormKernels, kRows, modulated_rms_norm_backward, T, T, T, T, C, G, G, C, C)    \
  KERNEL(GateKernels, kRows, gate_residual_forward, T, C, T, T)                                  \
  KERNEL(GateKernels, kRows, gate_residual_backward, T, C, T, G, C)                              \
  KERNEL(HeadKernels, kRows, head_transform_forward, T, T, T, T)                                 \
  KERNEL(HeadKernels, kRows, head_transform_backward, T, T, T, T, G, T)                          \
  KERNEL(AttentionKernels, kAttention, attention_forward, T, Grid, T, T, T)                      \
  KERNEL(AttentionKernels, kAttention, attention_backward, T, T, Grid, T, T, T, G, G)            \
  KERNEL(AttentionKernels, kAttention, visible_attention_forward, T, Visible, T, T, T)           \
  KERNEL(AttentionKernels, kAttention, visible_attention_backward, T, T, Visible, T, T, T, G, G) \
  KERNEL(AttentionKernels, kAttention, attention_modulated_forward, T, Grid, T, T, T)            \
  KERNEL(TokenKernels, kRows, gather_tokens_forward, T, Visible, T)                              \
  KERNEL(TokenKernels, kRows, gather_tokens_backward, T, Visible, G)                             \
  KERNEL(TokenKernels, kRows, restore_tokens_forward, T, Visible, T, T)                          \
  KERNEL(TokenKernels, kRows, restore_tokens_backward, T, Visible, G, G)                         \
  KERNEL(TokenKernels, kRows, select_tokens_forward, T, T, Visible, T)                           \
  KERNEL(TokenKernels, kRows, select_tokens_backward, T, Visible, G, G)                          \
  KERNEL(TokenKernels, kRows, add_positions_forward, T, T, T)                                    \
  KERNEL(TokenKernels, kRows, add_positions_backward, T, G)                                      \
  KERNEL(EmbeddingKernels, kRows, timestep_features, T, T)                                       \
  KERNEL(EmbeddingKernels, kRows, label_forward, T, T, T)                                        \
  KERNEL(EmbeddingKernels, kRows, label_backward, T, T, G)                                       \
  KERNEL(LayoutKernels, kRows, patchify, T, Int, T)                                              \
  KERNEL(LayoutKernels, kRows, unpatchify, T, Int, T)                                            \
  KERNEL(LayoutKernels, kRows, pixel_shuffle_forward, T, Grid, T)                                \
  KERNEL(LayoutKernels, kRows, pixel_shuffle_backward, T, Grid, G)                               \
  KERNEL(LayoutKernels, kRows, swap_leading_axes, T, G)                                          \
  KERNEL(LayoutKernels, kRows, mask_tokens_forward, T, T, T, T)                                  \
  KERNEL(LayoutKernels, kRows, mask_tokens_backward, T, T, G)                                    \
  KERNEL(DiffusionKernels, kRows, diffusion_loss_forward, T, T, T, T, T, T, Int, T, T, T)        \
  KERNEL(DiffusionKernels, kRows, diffusion_loss_backward, T, T, T, T, T, T, T, Int, G)          \
  KERNEL(DiffusionKernels, kRows, add_noise, T, T, T, T)                                         \
  KERNEL(DiffusionKernels, kRows, random_normal, random::StreamKey, T, T)                        \
  KERNEL(AttentionMapKernels, kRows, attention_map_forward, T, T, T)                             \
  KERNEL(AttentionMapKernels, kRows, attention_map_backward, T, T, T, T, G)                      \
  KERNEL(TokenLossKernels, kRows, noise_target, T, T, T, Int, T)                                 \
  KERNEL(TokenLossKernels, kRows, token_loss_forward, T, T, T, T, How, T, T)                     \
  KERNEL(TokenLossKernels, kRows, token_loss_backward, T, T, T, T, T, How, G)                    \
  KERNEL(TernaryKernels, kRows, absolute_sum, T, T)                                              \
  KERNEL(TernaryKernels, kRows, ternary_quantize, T, T, Int, T, T)                               \
  KERNEL(TernaryKernels, kRows, ternary_gradient, T, T, T, Int, T, G, G)                         \
  KERNEL(RmsNormKernels, kRows, rms_norm_forward, T, T, T, T)                                    \
  KERNEL(RmsNormKernels, kRows, rms_norm_backward, T, T, T, T, G, G)                             \
  KERNEL(AffineModulationKernels, kRows, affine_modulation_forward, T, T, T, T)                  \
  KERNEL(AffineModulationKernels, kRows, affine_modulation_backward, T, T, T, G, G, G)           \
  KERNEL(TextKernels, kRows, text_tokens, T, T, T)                                               \
  KERNEL(TextKernels, kRows, text_mean, T, T, T)                                                 \
  KERNEL(CrossAttentionKernels, kAttention, cross_attention_forward, T, T, T, T, T)              \
  KERNEL(CrossAttentionKernels, kAttention, cross_attention_backward, T, T, T, T, T, T, G, G)    \
  KERNEL(AffineNormKernels, kRows, fold_affine_forward, T, T, C, C, T)                           \
  KERNEL(AffineNormKernels, kRows, fold_affine_backward, T, T, T, C, C, C, G, G)                 \
  KERNEL(AffineNormKernels, kRows, affine_norm_forward, T, C, C, T, T)                           \
  KERNEL(AffineNormKernels, kRows, affine_norm_backward, T, T, T, C, G, C, C)                    \
  KERNEL(RegionKernels, kRows, join_tokens, T, T, Int, Int, G)                                   \
  KERNEL(RegionKernels, kRows, split_tokens, T, Int, Int, G, G)                                  \
  KERNEL(FoldKernels, kRows, fold_tokens, T, Grid, Int, G)                                       \
  KERNEL(FoldKernels, kRows, unfold_tokens, T, Grid, Int, G)                                     \
  KERNEL(TokenConvolutionKernels, kRows, gather_taps_forward, T, T, Grid, T)                     \
  KERNEL(TokenConvolutionKernels, kRows, gather_taps_backward, T, Grid, T)                       \
  KERNEL(TokenConvolutionKernels, kRows, depthwise_forward, T, T, T, Grid, Int, T)               \
  KERNEL(TokenConvolutionKernels, kRows, depthwise_backward, T, T, T, Grid, Int, G, G, G)        \
  KERNEL(TokenGroupNormKernels, kRows, token_group_norm_forward, T, T, T, T, T)                  \
  KERNEL(TokenGroupNormKernels, kRows, token_group_norm_backward, T, T, T, T, T, G, G, G)        \
  KERNEL(KernelAttentionKernels, kMatrix, kernel_attention_forward, T, T, T, T, T)               \
  KERNEL(KernelAttentionKernels, kMatrix, kernel_attention_backward, T, T, T, T, T, T, G, G, G)  \
  KERNEL(StateSpaceKernels, kRows, ssm2d_kernel_forward, T, T, T, T, Grid, T, T)                 \
  KERNEL(StateSpaceKernels, kRows, ssm2d_kernel_backward, T, T, T, T, T, Grid, G, G, G, G)       \
  KERNEL(StateSpaceKernels, kRows, grid_convolution_forward, T, T, Grid, T)                      \
  KERNEL(StateSpaceKernels, kRows, grid_convolution_backward, T, T, T, Grid, G, G)               \
  KERNEL(UnitMaskKernels, kRows, band_mask_forward, T, T, T)                                     \
  KERNEL(UnitMaskKernels, kRows, band_mask_backward, T, T, T, G)                                 \
  KERNEL(UnitMaskKernels, kRows, band_sparsity_forward, SparsityForm, T, T, T, T)                \
  KERNEL(UnitMaskKernels, kRows, band_sparsity_backward, SparsityForm, T, T, T, T, G)            \
  KERNEL(UnitMaskKernels, kRows, mask_units_forward, T, T, T)                                    \
  KERNEL(UnitMaskKernels, kRows, mask_units_backward, T, T, T, G, G)                             \
  KERNEL(UnitGateKernels, kRows, random_logistic, random::StreamKey, T, T)                       \
  KERNEL(UnitGateKernels, kRows, unit_gate_forward, T, T, Int, T)                                \
  KERNEL(UnitGateKernels, kRows, unit_gate_backward, T, T, T, Int, double, G)                    \
  KERNEL(UnitGateKernels, kRows, unit_share_forward, T, T, T, double, double, T)                 \
  KERNEL(UnitGateKernels, kRows, unit_share_backward, T, T, T, T, double, double, G, G, G)       \
  KERNEL(UnitGateKernels, kRows, share_penalty_forward, T, T, T, T)                              \
  KERNEL(UnitGateKernels, kRows, share_penalty_backward, T, T, T, G)

// Kernels that stand for others of the list, to the same bits: a backend that does not override
// them calls those (kernels_compound.cpp).
#define EDT_COMPOUND_KERNELS(KERNEL)                                                             \
  KERNEL(GateNormKernels, kRows, gate_norm_forward, T, const Gated&, const NormTerms&, T, T, T)  \
  KERNEL(GateNormKernels, kRows, gate_norm_backward, T, T, T, const Gated&, const NormTerms&, G, \
         const GatedGrads&, const NormTermGrads&)

#define EDT_PICTURE_KERNELS(KERNEL)                                                             \
  KERNEL(ConvolutionKernels, kMatrix, convolution, const PackedConvolution&, T, T,              \
         const ConvolutionEnd&)                                                                 \
  KERNEL(PictureNormKernels, kRows, group_norm, T, T, T, const GroupNormForm&, T)               \
  KERNEL(PictureNormKernels, kRows, channel_rms_norm, T, T, T, double, PictureActivation, T, T) \
  KERNEL(PictureAttentionKernels, kAttention, wide_attention, T, T, T, T)                       \
  KERNEL(PictureAttentionKernels, kRows, relu_linear_attention, T, Int, double, T)              \
  KERNEL(ChannelKernels, kRows, fold_pixels, T, Int, Int, T)                                    \
  KERNEL(ChannelKernels, kRows, unfold_pixels, T, Int, Int, T)                                  \
  KERNEL(ChannelKernels, kRows, gated_silu, T, T)                                               \
  KERNEL(ChannelKernels, kRows, join_channels, T, T, T)                                         \
  KERNEL(PoolKernels, kRows, pool, T, const PoolForm&, T)

// In the class of a backend: all of them, each in the file of its family, under the names that
// stand for the types; and the weights of convolutions, which the backend lays out as it likes.
#define EDT_BACKEND_KERNELS                                                                    \
  using T = kernel_list::T;                                                                    \
  using G = kernel_list::G;                                                                    \
  using C = kernel_list::C;                                                                    \
  using Visible = kernel_list::Visible;                                                        \
  using Grid = kernel_list::Grid;                                                              \
  using How = kernel_list::How;                                                                \
  using Int = kernel_list::Int;                                                                \
  EDT_KERNELS(EDT_OVERRIDE)                                                                    \
  EDT_PICTURE_KERNELS(EDT_OVERRIDE)                                                            \
  std::unique_ptr<PackedConvolution> pack_convolution(                                         \
      const ConvolutionForm& form, std::span<const float> weight, std::span<const float> bias, \
      DType dtype) override;
#define EDT_OVERRIDE(family, bound, kernel, ...) void kernel(__VA_ARGS__) override;
