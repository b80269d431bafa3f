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
#include "core/ops/kernel_overrides.inc"

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
