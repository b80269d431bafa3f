// How many of its last arguments each kernel of core/ops/kernel_list.h writes; it reads the others.
// A gradient that it adds to counts as written.
#pragma once

#include <cstddef>

namespace edt::kernel_outputs {

inline constexpr std::size_t
    linear_forward = 1,
    linear_backward_input = 1, linear_backward_weight = 2, concat_linear_forward = 1,
    concat_linear_backward_input = 2, concat_linear_backward_weight = 2, add_bias_forward = 1,
    add_bias_backward = 1, mlp_forward = 2, mlp_backward = 2, swiglu_forward = 2,
    swiglu_backward = 2, activation_forward = 1, activation_backward = 1, silu_gate_forward = 1,
    silu_gate_backward = 1, add_forward = 1, modulated_norm_forward = 2,
    modulated_norm_backward = 3, merge_norm_forward = 2, merge_norm_backward = 3,
    concat_norm_forward = 2, concat_norm_backward = 4, modulated_rms_norm_forward = 2,
    modulated_rms_norm_backward = 4, gate_residual_forward = 1, gate_residual_backward = 2,
    head_transform_forward = 1, head_transform_backward = 2, attention_forward = 2,
    attention_backward = 2, visible_attention_forward = 2, visible_attention_backward = 2,
    attention_modulated_forward = 1, gather_tokens_forward = 1, gather_tokens_backward = 1,
    restore_tokens_forward = 1, restore_tokens_backward = 2, select_tokens_forward = 1,
    select_tokens_backward = 2, add_positions_forward = 1, add_positions_backward = 1,
    timestep_features = 1, label_forward = 1, label_backward = 1, patchify = 1, unpatchify = 1,
    pixel_shuffle_forward = 1, pixel_shuffle_backward = 1, swap_leading_axes = 1,
    mask_tokens_forward = 1, mask_tokens_backward = 1, diffusion_loss_forward = 3,
    diffusion_loss_backward = 1, add_noise = 1, random_normal = 1, attention_map_forward = 2,
    attention_map_backward = 1, noise_target = 1, token_loss_forward = 2, token_loss_backward = 1,
    absolute_sum = 1, ternary_quantize = 1, ternary_gradient = 2, rms_norm_forward = 2,
    rms_norm_backward = 2, affine_modulation_forward = 1, affine_modulation_backward = 3,
    text_tokens = 1, text_mean = 1, cross_attention_forward = 2, cross_attention_backward = 2,
    fold_affine_forward = 1, fold_affine_backward = 4, affine_norm_forward = 2,
    affine_norm_backward = 3, join_tokens = 1, split_tokens = 2, fold_tokens = 1, unfold_tokens = 1,
    gather_taps_forward = 1, gather_taps_backward = 1, depthwise_forward = 1,
    depthwise_backward = 3, token_group_norm_forward = 2, token_group_norm_backward = 3,
    kernel_attention_forward = 2, kernel_attention_backward = 3, ssm2d_kernel_forward = 2,
    ssm2d_kernel_backward = 4, grid_convolution_forward = 1, grid_convolution_backward = 2,
    band_mask_forward = 1, band_mask_backward = 1, band_sparsity_forward = 2,
    band_sparsity_backward = 1, mask_units_forward = 1, mask_units_backward = 2,
    random_logistic = 1, unit_gate_forward = 1, unit_gate_backward = 1, unit_share_forward = 1,
    unit_share_backward = 3, share_penalty_forward = 2, share_penalty_backward = 1;

}  // namespace edt::kernel_outputs
