#include "model/plan/recording_backend.h"

#include "model/plan/recording_optimizer.h"

namespace edt {
namespace {

// Multiply-accumulates of [M, K] x [N, K]^T, twice.
double product(const Tensor& rows, const Tensor& weight) {
  return 2.0 * static_cast<double>(rows.shape.rows()) * static_cast<double>(weight.elements());
}

// Of q k^T and p v over qkv [B, T, 3, H, d].
double attention_flops(const Tensor& qkv) {
  const Shape& s = qkv.shape;
  return 4.0 * static_cast<double>(s[0] * s[1] * s[1] * s[3] * s[4]);
}

}  // namespace

template <class Method, class... Args>
void RecordingBackend::note(std::string_view name, KernelClass kind, DType dtype, double flops,
                            Method method, const Args&... args) {
  if (!recorder_.recording()) return;
  KernelKey key;
  (key.add(args), ...);
  Replay replay;
  if (recorder_.keeps_replays()) {
    replay = [method, kept = std::tuple<Args...>(args...)](Backend& backend, const Relocation& to) {
      std::apply([&](const Args&... a) { (backend.*method)(relocated(a, to)...); }, kept);
    };
  }
  recorder_.kernel(name, kind, dtype, flops, key, std::move(replay));
}

std::unique_ptr<Optimizer> RecordingBackend::make_optimizer(const OptimizerConfig& config) {
  return std::make_unique<RecordingOptimizer>(edt::make_optimizer(config), recorder_);
}

void RecordingBackend::zero(T tensor) {
  note("zero", KernelClass::kStream, DType::kFloat32, 0, &Device::zero, tensor);
}
void RecordingBackend::fill(T tensor, double value) {
  note("fill", KernelClass::kStream, DType::kFloat32, 0, &Device::fill, tensor, value);
}
void RecordingBackend::copy(T from, T to) {
  note("copy", KernelClass::kStream, DType::kFloat32, 0, &Device::copy, from, to);
}
void RecordingBackend::add_into(T from, T to) { rows("add_into", &Device::add_into, from, to); }
void RecordingBackend::fold(std::span<const Tensor> sums, T last) {
  if (!recorder_.recording()) return;
  KernelKey key;
  key.add(GradTarget{sums[0], true});
  for (const Tensor& sum : sums.subspan(1)) key.add(sum);
  key.add(last);
  Replay replay;
  if (recorder_.keeps_replays()) {
    replay = [kept = std::vector<Tensor>(sums.begin(), sums.end()), last](Backend& backend,
                                                                          const Relocation& to) {
      std::vector<Tensor> real;
      for (const Tensor& sum : kept) real.push_back(relocated(sum, to));
      backend.fold(real, relocated(last, to));
    };
  }
  recorder_.kernel("fold", KernelClass::kStream, DType::kFloat32, 0, key, std::move(replay));
}
// The host memory of these two may be gone when kernels run again.
void RecordingBackend::upload(const void*, T to) {
  KernelKey key;
  key.add(to);
  recorder_.kernel("upload", KernelClass::kStream, DType::kFloat32, 0, key);
}
void RecordingBackend::download(T from, void*) {
  KernelKey key;
  key.add(from);
  recorder_.kernel("download", KernelClass::kStream, DType::kFloat32, 0, key);
}
void RecordingBackend::send(const void* host, T to) {
  note("upload", KernelClass::kStream, DType::kFloat32, 0, &Device::upload, host, to);
}

void RecordingBackend::linear_forward(T x, T weight, T bias, T positions, T y) {
  note("linear_forward", KernelClass::kMatrix, x.dtype, product(x, weight),
       &LinearKernels::linear_forward, x, weight, bias, positions, y);
}
void RecordingBackend::linear_backward_input(T dy, T weight, G dx) {
  note("linear_backward_input", KernelClass::kMatrix, dy.dtype, product(dy, weight),
       &LinearKernels::linear_backward_input, dy, weight, dx);
}
void RecordingBackend::linear_backward_weight(T dy, T x, G dweight, G dbias) {
  note("linear_backward_weight", KernelClass::kMatrix, dy.dtype, product(dy, dweight.tensor),
       &LinearKernels::linear_backward_weight, dy, x, dweight, dbias);
}
void RecordingBackend::concat_linear_forward(T a, T b, T weight, T bias, T y) {
  note("concat_linear_forward", KernelClass::kMatrix, a.dtype, product(a, weight),
       &LinearKernels::concat_linear_forward, a, b, weight, bias, y);
}
void RecordingBackend::concat_linear_backward_input(T dy, T weight, G da, G db) {
  note("concat_linear_backward_input", KernelClass::kMatrix, dy.dtype, product(dy, weight),
       &LinearKernels::concat_linear_backward_input, dy, weight, da, db);
}
void RecordingBackend::concat_linear_backward_weight(T dy, T a, T b, G dweight, G dbias) {
  note("concat_linear_backward_weight", KernelClass::kMatrix, dy.dtype, product(dy, dweight.tensor),
       &LinearKernels::concat_linear_backward_weight, dy, a, b, dweight, dbias);
}
void RecordingBackend::add_bias_forward(T x, T bias, T y) {
  rows("add_bias_forward", &BiasKernels::add_bias_forward, x, bias, y);
}
void RecordingBackend::add_bias_backward(T dy, G dbias) {
  rows("add_bias_backward", &BiasKernels::add_bias_backward, dy, dbias);
}
void RecordingBackend::mlp_forward(T x, const MlpWeights& weights, T hidden, T y) {
  note("mlp_forward", KernelClass::kMatrix, x.dtype, 2 * product(x, weights.fc1),
       &MlpKernels::mlp_forward, x, weights, hidden, y);
}
void RecordingBackend::mlp_backward(T dy, T x, T hidden, const MlpWeights& weights, G dx,
                                    const MlpGrads& grads) {
  note("mlp_backward", KernelClass::kMatrix, x.dtype, 4 * product(x, weights.fc1),
       &MlpKernels::mlp_backward, dy, x, hidden, weights, dx, grads);
}
void RecordingBackend::activation_forward(Activation kind, T x, T y) {
  rows("activation_forward", &ActivationKernels::activation_forward, kind, x, y);
}
void RecordingBackend::activation_backward(Activation kind, T dy, T x, G dx) {
  rows("activation_backward", &ActivationKernels::activation_backward, kind, dy, x, dx);
}
void RecordingBackend::add_forward(T a, T b, T y) {
  rows("add_forward", &ActivationKernels::add_forward, a, b, y);
}
void RecordingBackend::modulated_norm_forward(T x, C shift, C scale, T y, T stats) {
  rows("modulated_norm_forward", &ModulatedNormKernels::modulated_norm_forward, x, shift, scale, y,
       stats);
}
void RecordingBackend::modulated_norm_backward(T dy, T x, T stats, C scale, G dx, C dshift,
                                               C dscale) {
  rows("modulated_norm_backward", &ModulatedNormKernels::modulated_norm_backward, dy, x, stats,
       scale, dx, dshift, dscale);
}
void RecordingBackend::merge_norm_forward(T x, C shift, C scale, T mask, T y, T stats) {
  rows("merge_norm_forward", &ModulatedNormKernels::merge_norm_forward, x, shift, scale, mask, y,
       stats);
}
void RecordingBackend::merge_norm_backward(T dy, T x, T stats, C scale, T mask, G dx, C dshift,
                                           C dscale) {
  rows("merge_norm_backward", &ModulatedNormKernels::merge_norm_backward, dy, x, stats, scale, mask,
       dx, dshift, dscale);
}
void RecordingBackend::concat_norm_forward(T a, T b, C shift, C scale, T y, T stats) {
  rows("concat_norm_forward", &ModulatedNormKernels::concat_norm_forward, a, b, shift, scale, y,
       stats);
}
void RecordingBackend::concat_norm_backward(T dy, T a, T b, T stats, C scale, G da, G db, C dshift,
                                            C dscale) {
  rows("concat_norm_backward", &ModulatedNormKernels::concat_norm_backward, dy, a, b, stats, scale,
       da, db, dshift, dscale);
}
void RecordingBackend::gate_residual_forward(T x, C gate, T h, T y) {
  rows("gate_residual_forward", &GateKernels::gate_residual_forward, x, gate, h, y);
}
void RecordingBackend::gate_residual_backward(T dy, C gate, T h, G dh, C dgate) {
  rows("gate_residual_backward", &GateKernels::gate_residual_backward, dy, gate, h, dh, dgate);
}
void RecordingBackend::attention_forward(T qkv, T table, T out, T lse) {
  note("attention_forward", KernelClass::kAttention, qkv.dtype, attention_flops(qkv),
       &AttentionKernels::attention_forward, qkv, table, out, lse);
}
// The scores are computed again: five products where forward has two.
void RecordingBackend::attention_backward(T dout, T qkv, T table, T out, T lse, G dqkv, G dtable) {
  note("attention_backward", KernelClass::kAttention, qkv.dtype, 2.5 * attention_flops(qkv),
       &AttentionKernels::attention_backward, dout, qkv, table, out, lse, dqkv, dtable);
}
void RecordingBackend::kept_attention_forward(T qkv, const KeptTokens& kept, T table, T out,
                                              T lse) {
  note("kept_attention_forward", KernelClass::kAttention, qkv.dtype, attention_flops(qkv),
       &AttentionKernels::kept_attention_forward, qkv, kept, table, out, lse);
}
void RecordingBackend::kept_attention_backward(T dout, T qkv, const KeptTokens& kept, T table,
                                               T out, T lse, G dqkv, G dtable) {
  note("kept_attention_backward", KernelClass::kAttention, qkv.dtype, 2.5 * attention_flops(qkv),
       &AttentionKernels::kept_attention_backward, dout, qkv, kept, table, out, lse, dqkv, dtable);
}
void RecordingBackend::attention_modulated_forward(T qkv, T table, T modulation, T out) {
  note("attention_modulated_forward", KernelClass::kAttention, qkv.dtype, attention_flops(qkv),
       &AttentionKernels::attention_modulated_forward, qkv, table, modulation, out);
}
void RecordingBackend::gather_tokens_forward(T x, const KeptTokens& kept, T y) {
  rows("gather_tokens_forward", &TokenKernels::gather_tokens_forward, x, kept, y);
}
void RecordingBackend::gather_tokens_backward(T dy, const KeptTokens& kept, G dx) {
  rows("gather_tokens_backward", &TokenKernels::gather_tokens_backward, dy, kept, dx);
}
void RecordingBackend::restore_tokens_forward(T x, const KeptTokens& kept, T token, T y) {
  rows("restore_tokens_forward", &TokenKernels::restore_tokens_forward, x, kept, token, y);
}
void RecordingBackend::restore_tokens_backward(T dy, const KeptTokens& kept, G dx, G dtoken) {
  rows("restore_tokens_backward", &TokenKernels::restore_tokens_backward, dy, kept, dx, dtoken);
}
void RecordingBackend::select_tokens_forward(T kept_rows, T dropped_rows, const KeptTokens& kept,
                                             T y) {
  rows("select_tokens_forward", &TokenKernels::select_tokens_forward, kept_rows, dropped_rows, kept,
       y);
}
void RecordingBackend::select_tokens_backward(T dy, const KeptTokens& kept, G dkept_rows,
                                              G ddropped_rows) {
  rows("select_tokens_backward", &TokenKernels::select_tokens_backward, dy, kept, dkept_rows,
       ddropped_rows);
}
void RecordingBackend::add_positions_forward(T x, T positions, T y) {
  rows("add_positions_forward", &TokenKernels::add_positions_forward, x, positions, y);
}
void RecordingBackend::add_positions_backward(T dy, G dpositions) {
  rows("add_positions_backward", &TokenKernels::add_positions_backward, dy, dpositions);
}
void RecordingBackend::timestep_features(T t, T out) {
  rows("timestep_features", &EmbeddingKernels::timestep_features, t, out);
}
void RecordingBackend::label_forward(T labels, T table, T out) {
  rows("label_forward", &EmbeddingKernels::label_forward, labels, table, out);
}
void RecordingBackend::label_backward(T dy, T labels, G dtable) {
  rows("label_backward", &EmbeddingKernels::label_backward, dy, labels, dtable);
}
void RecordingBackend::patchify(T image, std::int64_t patch, T patches) {
  rows("patchify", &LayoutKernels::patchify, image, patch, patches);
}
void RecordingBackend::unpatchify(T tokens, std::int64_t patch, T image) {
  rows("unpatchify", &LayoutKernels::unpatchify, tokens, patch, image);
}
void RecordingBackend::pixel_shuffle_forward(T x, T y) {
  rows("pixel_shuffle_forward", &LayoutKernels::pixel_shuffle_forward, x, y);
}
void RecordingBackend::pixel_shuffle_backward(T dy, G dx) {
  rows("pixel_shuffle_backward", &LayoutKernels::pixel_shuffle_backward, dy, dx);
}
void RecordingBackend::swap_leading_axes(T x, G y) {
  rows("swap_leading_axes", &LayoutKernels::swap_leading_axes, x, y);
}
void RecordingBackend::mask_tokens_forward(T x, T mask, T positions, T y) {
  rows("mask_tokens_forward", &LayoutKernels::mask_tokens_forward, x, mask, positions, y);
}
void RecordingBackend::mask_tokens_backward(T dy, T mask, G dx) {
  rows("mask_tokens_backward", &LayoutKernels::mask_tokens_backward, dy, mask, dx);
}
void RecordingBackend::add_noise(T x_start, T noise, T scales, T x_t) {
  rows("add_noise", &DiffusionKernels::add_noise, x_start, noise, scales, x_t);
}
void RecordingBackend::random_normal(random::StreamKey key, T samples, T out) {
  rows("random_normal", &DiffusionKernels::random_normal, key, samples, out);
}
void RecordingBackend::diffusion_loss_forward(T tokens, T x_start, T x_t, T noise, T coefficients,
                                              T sample_weights, std::int64_t patch, T mse, T vb,
                                              T mean) {
  rows("diffusion_loss_forward", &DiffusionKernels::diffusion_loss_forward, tokens, x_start, x_t,
       noise, coefficients, sample_weights, patch, mse, vb, mean);
}
void RecordingBackend::diffusion_loss_backward(T dmean, T tokens, T x_start, T x_t, T noise,
                                               T coefficients, T sample_weights, std::int64_t patch,
                                               G dtokens) {
  rows("diffusion_loss_backward", &DiffusionKernels::diffusion_loss_backward, dmean, tokens,
       x_start, x_t, noise, coefficients, sample_weights, patch, dtokens);
}

}  // namespace edt
