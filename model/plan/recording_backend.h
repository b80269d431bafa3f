// A backend that computes nothing and records every kernel it is asked for.
#pragma once

#include <tuple>

#include "model/plan/hollow_memory.h"
#include "model/plan/recorder.h"

namespace edt {

// Arguments of a kernel as they are when its tensors lie elsewhere.
inline Tensor relocated(Tensor tensor, const Relocation& to) {
  if (tensor.defined()) tensor.data = to(tensor.data);
  return tensor;
}
inline GradTarget relocated(GradTarget target, const Relocation& to) {
  return {relocated(target.tensor, to), target.accumulate};
}
inline Columns relocated(Columns columns, const Relocation& to) {
  columns.tensor = relocated(columns.tensor, to);
  return columns;
}
inline MlpWeights relocated(const MlpWeights& w, const Relocation& to) {
  return {relocated(w.fc1, to), relocated(w.fc1_bias, to), relocated(w.fc2, to),
          relocated(w.fc2_bias, to)};
}
inline MlpGrads relocated(const MlpGrads& g, const Relocation& to) {
  return {relocated(g.fc1, to), relocated(g.fc1_bias, to), relocated(g.fc2, to),
          relocated(g.fc2_bias, to)};
}
inline KeptTokens relocated(const KeptTokens& kept, const Relocation& to) {
  return {relocated(kept.ids, to), relocated(kept.places, to), kept.grid};
}
template <class T>
T relocated(T value, const Relocation&) {
  return value;
}

class RecordingBackend final : public Backend {
 public:
  using T = const Tensor&;
  using G = const GradTarget&;
  using C = const Columns&;

  explicit RecordingBackend(Recorder& recorder) : recorder_(recorder) {}

  std::string_view name() const override { return "plan"; }
  HollowMemory& memory() override { return memory_; }

  // Records updates and norms.
  std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config) override;

  void zero(T tensor) override;
  void fill(T tensor, double value) override;
  void copy(T from, T to) override;
  void add_into(T from, T to) override;
  void fold(std::span<const Tensor> sums, T last) override;
  void upload(const void* host, T to) override;
  void download(T from, void* host) override;
  void send(const void* host, T to) override;

  void linear_forward(T x, T weight, T bias, T positions, T y) override;
  void linear_backward_input(T dy, T weight, G dx) override;
  void linear_backward_weight(T dy, T x, G dweight, G dbias) override;
  void concat_linear_forward(T a, T b, T weight, T bias, T y) override;
  void concat_linear_backward_input(T dy, T weight, G da, G db) override;
  void concat_linear_backward_weight(T dy, T a, T b, G dweight, G dbias) override;
  void add_bias_forward(T x, T bias, T y) override;
  void add_bias_backward(T dy, G dbias) override;
  void mlp_forward(T x, const MlpWeights& weights, T hidden, T y) override;
  void mlp_backward(T dy, T x, T hidden, const MlpWeights& weights, G dx,
                    const MlpGrads& grads) override;
  void activation_forward(Activation kind, T x, T y) override;
  void activation_backward(Activation kind, T dy, T x, G dx) override;
  void add_forward(T a, T b, T y) override;
  void modulated_norm_forward(T x, C shift, C scale, T y, T stats) override;
  void modulated_norm_backward(T dy, T x, T stats, C scale, G dx, C dshift, C dscale) override;
  void merge_norm_forward(T x, C shift, C scale, T mask, T y, T stats) override;
  void merge_norm_backward(T dy, T x, T stats, C scale, T mask, G dx, C dshift, C dscale) override;
  void concat_norm_forward(T a, T b, C shift, C scale, T y, T stats) override;
  void concat_norm_backward(T dy, T a, T b, T stats, C scale, G da, G db, C dshift,
                            C dscale) override;
  void gate_residual_forward(T x, C gate, T h, T y) override;
  void gate_residual_backward(T dy, C gate, T h, G dh, C dgate) override;
  void attention_forward(T qkv, T table, T out, T lse) override;
  void attention_backward(T dout, T qkv, T table, T out, T lse, G dqkv, G dtable) override;
  void kept_attention_forward(T qkv, const KeptTokens& kept, T table, T out, T lse) override;
  void kept_attention_backward(T dout, T qkv, const KeptTokens& kept, T table, T out, T lse, G dqkv,
                               G dtable) override;
  void attention_modulated_forward(T qkv, T table, T modulation, T out) override;
  void gather_tokens_forward(T x, const KeptTokens& kept, T y) override;
  void gather_tokens_backward(T dy, const KeptTokens& kept, G dx) override;
  void restore_tokens_forward(T x, const KeptTokens& kept, T token, T y) override;
  void restore_tokens_backward(T dy, const KeptTokens& kept, G dx, G dtoken) override;
  void select_tokens_forward(T kept_rows, T dropped_rows, const KeptTokens& kept, T y) override;
  void select_tokens_backward(T dy, const KeptTokens& kept, G dkept_rows, G ddropped_rows) override;
  void add_positions_forward(T x, T positions, T y) override;
  void add_positions_backward(T dy, G dpositions) override;
  void timestep_features(T t, T out) override;
  void label_forward(T labels, T table, T out) override;
  void label_backward(T dy, T labels, G dtable) override;
  void patchify(T image, std::int64_t patch, T patches) override;
  void unpatchify(T tokens, std::int64_t patch, T image) override;
  void pixel_shuffle_forward(T x, T y) override;
  void pixel_shuffle_backward(T dy, G dx) override;
  void swap_leading_axes(T x, G y) override;
  void mask_tokens_forward(T x, T mask, T positions, T y) override;
  void mask_tokens_backward(T dy, T mask, G dx) override;
  void add_noise(T x_start, T noise, T scales, T x_t) override;
  void random_normal(random::StreamKey key, T samples, T out) override;
  void diffusion_loss_forward(T tokens, T x_start, T x_t, T noise, T coefficients, T sample_weights,
                              std::int64_t patch, T mse, T vb, T mean) override;
  void diffusion_loss_backward(T dmean, T tokens, T x_start, T x_t, T noise, T coefficients,
                               T sample_weights, std::int64_t patch, G dtokens) override;

 private:
  // Records the call of `method`, so that it can be made again on another backend.
  template <class Method, class... Args>
  void note(std::string_view name, KernelClass kind, DType dtype, double flops, Method method,
            const Args&... args);
  template <class Method, class... Args>
  void rows(std::string_view name, Method method, const Args&... args) {
    note(name, KernelClass::kRows, DType::kFloat32, 0, method, args...);
  }

  Recorder& recorder_;
  HollowMemory memory_;
};

}  // namespace edt
