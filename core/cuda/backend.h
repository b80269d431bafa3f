// The one class behind make_cuda_backend(); each op family's kernels are in their own files: the
// calls in NAME.cpp, what runs on the GPU in kernels/NAME.cu.
#pragma once

#include "core/cuda/context.h"
#include "core/cuda/cuda_backend.h"
#include "core/cuda/graph.h"
#include "core/cuda/matmul.h"
#include "core/cuda/on_stream.h"
#include "core/cuda/scratch.h"

namespace edt {

// Made before the backend's base, which uses it.
struct CudaGpu {
  explicit CudaGpu(int device) : context(device), shared(device) {}

  CudaContext context;
  CudaShared shared;
};

class CudaBackend final : private CudaGpu, public OnStream<Backend> {
 public:
  using T = const Tensor&;
  using G = const GradTarget&;
  using C = const Columns&;
  using Kept = const KeptTokens&;

  explicit CudaBackend(const CudaOptions& options)
      : CudaGpu(options.device),
        OnStream(shared),
        scratch_(shared.memory),
        matmul_(context, scratch_, options) {}

  cudaStream_t stream() const override { return context.stream(); }
  CudaScratch& scratch() { return scratch_; }
  const CudaMatmul& matmul() const { return matmul_; }

  // graph.cpp
  std::unique_ptr<Graph> capture(const std::function<void()>& work) override;
  void host_step(std::function<void()> step) override;

  // matmul_ceiling.cpp
  std::unique_ptr<MatmulCeiling> matmul_ceiling(const std::vector<MatmulForm>& forms,
                                                DType dtype) override;

  // optimizer.cpp
  std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config) override;

  // linear.cpp
  void linear_forward(T x, T weight, T bias, T positions, T y) override;
  void linears_forward(T x, std::span<const LinearMap> maps) override;
  void linear_backward_input(T dy, T weight, G dx) override;
  void linear_backward_weight(T dy, T x, G dweight, G dbias) override;

  void concat_linear_forward(T a, T b, T weight, T bias, T y) override;
  void concat_linear_backward_input(T dy, T weight, G da, G db) override;
  void concat_linear_backward_weight(T dy, T a, T b, G dweight, G dbias) override;

  // bias.cpp
  void add_bias_forward(T x, T bias, T y) override;
  void add_bias_backward(T dy, G dbias) override;

  // mlp.cpp
  void mlp_forward(T x, const MlpWeights& weights, T hidden, T y) override;
  void mlp_backward(T dy, T x, T hidden, const MlpWeights& weights, G dx,
                    const MlpGrads& grads) override;

  // activation.cpp
  void activation_forward(Activation kind, T x, T y) override;
  void activation_backward(Activation kind, T dy, T x, G dx) override;
  void add_forward(T a, T b, T y) override;

  // modulated_norm.cpp
  void modulated_norm_forward(T x, C shift, C scale, T y, T stats) override;
  void modulated_norm_backward(T dy, T x, T stats, C scale, G dx, C dshift, C dscale) override;
  void merge_norm_forward(T x, C shift, C scale, T mask, T y, T stats) override;
  void merge_norm_backward(T dy, T x, T stats, C scale, T mask, G dx, C dshift, C dscale) override;
  void concat_norm_forward(T a, T b, C shift, C scale, T y, T stats) override;
  void concat_norm_backward(T dy, T a, T b, T stats, C scale, G da, G db, C dshift,
                            C dscale) override;

  // gate.cpp
  void gate_residual_forward(T x, C gate, T h, T y) override;
  void gate_residual_backward(T dy, C gate, T h, G dh, C dgate) override;

  // attention.cpp
  void attention_forward(T qkv, T table, T out, T lse) override;
  void attention_backward(T dout, T qkv, T table, T out, T lse, G dqkv, G dtable) override;
  void kept_attention_forward(T qkv, Kept kept, T table, T out, T lse) override;
  void kept_attention_backward(T dout, T qkv, Kept kept, T table, T out, T lse, G dqkv,
                               G dtable) override;
  void attention_modulated_forward(T qkv, T table, T modulation, T out) override;

  // tokens.cpp
  void gather_tokens_forward(T x, Kept kept, T y) override;
  void gather_tokens_backward(T dy, Kept kept, G dx) override;
  void restore_tokens_forward(T x, Kept kept, T token, T y) override;
  void restore_tokens_backward(T dy, Kept kept, G dx, G dtoken) override;
  void select_tokens_forward(T kept_rows, T dropped_rows, Kept kept, T y) override;
  void select_tokens_backward(T dy, Kept kept, G dkept_rows, G ddropped_rows) override;
  void add_positions_forward(T x, T positions, T y) override;
  void add_positions_backward(T dy, G dpositions) override;

  // embedding.cpp
  void timestep_features(T t, T out) override;
  void label_forward(T labels, T table, T out) override;
  void label_backward(T dy, T labels, G dtable) override;

  // layout.cpp
  void patchify(T image, std::int64_t patch, T patches) override;
  void unpatchify(T tokens, std::int64_t patch, T image) override;
  void pixel_shuffle_forward(T x, T y) override;
  void pixel_shuffle_backward(T dy, G dx) override;
  void mask_tokens_forward(T x, T mask, T positions, T y) override;
  void mask_tokens_backward(T dy, T mask, G dx) override;
  void swap_leading_axes(T x, G y) override;

  // diffusion.cpp
  void add_noise(T x_start, T noise, T scales, T x_t) override;
  void random_normal(random::StreamKey key, T samples, T out) override;
  void diffusion_loss_forward(T tokens, T x_start, T x_t, T noise, T coefficients, T sample_weights,
                              std::int64_t patch, T mse, T vb, T mean) override;
  void diffusion_loss_backward(T dmean, T tokens, T x_start, T x_t, T noise, T coefficients,
                               T sample_weights, std::int64_t patch, G dtokens) override;

  // picture/convolution.cpp
  std::unique_ptr<PackedConvolution> pack_convolution(const ConvolutionForm& form,
                                                      std::span<const float> weight,
                                                      std::span<const float> bias,
                                                      DType dtype) override;
  void convolution(const PackedConvolution& weights, T x, T y, const ConvolutionEnd& end) override;

  // picture/norm.cpp
  void group_norm(T x, T weight, T bias, const GroupNormForm& form, T y) override;
  void channel_rms_norm(T x, T weight, T bias, double epsilon, PictureActivation activation,
                        T residual, T y) override;

  // picture/attention.cpp
  void wide_attention(T q, T k, T v, T y) override;
  void relu_linear_attention(T qkv, std::int64_t size, double epsilon, T y) override;

  // picture/channels.cpp
  void fold_pixels(T x, std::int64_t r, std::int64_t group, T y) override;
  void unfold_pixels(T x, std::int64_t r, std::int64_t repeats, T y) override;
  void gated_silu(T x, T y) override;
  void join_channels(T a, T b, T y) override;

 private:
  // linear.cpp
  bool run_at_once(T x, std::span<const LinearMap> maps);
  void weight_columns_backward_input(T dy, T weight, std::int64_t column, G dx);
  void weight_columns_backward_weight(T dy, T x, std::int64_t column, G dweight, G dbias);
  Tensor concatenated(T a, T b);
  // picture/convolution.cpp
  void multiply_patches(const void* a, std::int64_t rows, T weight, T bias, void* y, bool add);

  CudaScratch scratch_;
  CudaMatmul matmul_;
  CudaGraph* capturing_ = nullptr;  // nullptr: calls are done as they come
};

}  // namespace edt
