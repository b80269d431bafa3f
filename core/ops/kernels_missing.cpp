// A kernel that a backend does not override fails by name.
#include "core/ops/backend.h"

namespace edt {

#define EDT_LACKS(family, kernel, ...) \
  void family::kernel(__VA_ARGS__) { lacks(#kernel); }

using T = const Tensor&;
using G = const GradTarget&;
using C = const Columns&;
using K = const KeptTokens&;

EDT_LACKS(LinearKernels, linear_forward, T, T, T, T, T)
EDT_LACKS(LinearKernels, linear_backward_input, T, T, G)
EDT_LACKS(LinearKernels, linear_backward_weight, T, T, G, G)
EDT_LACKS(LinearKernels, concat_linear_forward, T, T, T, T, T)
EDT_LACKS(LinearKernels, concat_linear_backward_input, T, T, G, G)
EDT_LACKS(LinearKernels, concat_linear_backward_weight, T, T, T, G, G)
EDT_LACKS(BiasKernels, add_bias_forward, T, T, T)
EDT_LACKS(BiasKernels, add_bias_backward, T, G)
EDT_LACKS(MlpKernels, mlp_forward, T, const MlpWeights&, T, T)
EDT_LACKS(MlpKernels, mlp_backward, T, T, T, const MlpWeights&, G, const MlpGrads&)
EDT_LACKS(ActivationKernels, activation_forward, Activation, T, T)
EDT_LACKS(ActivationKernels, activation_backward, Activation, T, T, G)
EDT_LACKS(ActivationKernels, add_forward, T, T, T)
EDT_LACKS(ModulatedNormKernels, modulated_norm_forward, T, C, C, T, T)
EDT_LACKS(ModulatedNormKernels, modulated_norm_backward, T, T, T, C, G, C, C)
EDT_LACKS(ModulatedNormKernels, merge_norm_forward, T, C, C, T, T, T)
EDT_LACKS(ModulatedNormKernels, merge_norm_backward, T, T, T, C, T, G, C, C)
EDT_LACKS(ModulatedNormKernels, concat_norm_forward, T, T, C, C, T, T)
EDT_LACKS(ModulatedNormKernels, concat_norm_backward, T, T, T, T, C, G, G, C, C)
EDT_LACKS(GateKernels, gate_residual_forward, T, C, T, T)
EDT_LACKS(GateKernels, gate_residual_backward, T, C, T, G, C)
EDT_LACKS(AttentionKernels, attention_forward, T, T, T, T)
EDT_LACKS(AttentionKernels, attention_backward, T, T, T, T, T, G, G)
EDT_LACKS(AttentionKernels, kept_attention_forward, T, K, T, T, T)
EDT_LACKS(AttentionKernels, kept_attention_backward, T, T, K, T, T, T, G, G)
EDT_LACKS(AttentionKernels, attention_modulated_forward, T, T, T, T)
EDT_LACKS(TokenKernels, gather_tokens_forward, T, K, T)
EDT_LACKS(TokenKernels, gather_tokens_backward, T, K, G)
EDT_LACKS(TokenKernels, restore_tokens_forward, T, K, T, T)
EDT_LACKS(TokenKernels, restore_tokens_backward, T, K, G, G)
EDT_LACKS(TokenKernels, select_tokens_forward, T, T, K, T)
EDT_LACKS(TokenKernels, select_tokens_backward, T, K, G, G)
EDT_LACKS(TokenKernels, add_positions_forward, T, T, T)
EDT_LACKS(TokenKernels, add_positions_backward, T, G)
EDT_LACKS(EmbeddingKernels, timestep_features, T, T)
EDT_LACKS(EmbeddingKernels, label_forward, T, T, T)
EDT_LACKS(EmbeddingKernels, label_backward, T, T, G)
EDT_LACKS(LayoutKernels, patchify, T, std::int64_t, T)
EDT_LACKS(LayoutKernels, unpatchify, T, std::int64_t, T)
EDT_LACKS(LayoutKernels, pixel_shuffle_forward, T, T)
EDT_LACKS(LayoutKernels, pixel_shuffle_backward, T, G)
EDT_LACKS(LayoutKernels, swap_leading_axes, T, G)
EDT_LACKS(LayoutKernels, mask_tokens_forward, T, T, T, T)
EDT_LACKS(LayoutKernels, mask_tokens_backward, T, T, G)
EDT_LACKS(DiffusionKernels, diffusion_loss_forward, T, T, T, T, T, T, std::int64_t, T, T, T)
EDT_LACKS(DiffusionKernels, diffusion_loss_backward, T, T, T, T, T, T, T, std::int64_t, G)
EDT_LACKS(DiffusionKernels, add_noise, T, T, T, T)
EDT_LACKS(DiffusionKernels, random_normal, random::StreamKey, T, T)

#undef EDT_LACKS

}  // namespace edt
