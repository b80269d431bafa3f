// The one class behind make_cpu_backend(); each op family's kernels are in their own file.
#pragma once

#include "core/cpu/attention_plan.h"
#include "core/cpu/cpu_library.h"
#include "core/cpu/int8_products.h"
#include "core/cpu/matmul.h"
#include "core/cpu/matmul_ceiling.h"
#include "core/cpu/packed_ternary.h"
#include "core/cpu/scratch.h"
#include "core/ops/kernel_list.h"
#include "core/ops/ternary_packer.h"
#include "core/ops/weight_quantizer.h"

namespace edt {

class CpuBackend final : public Backend, public WeightQuantizer, public TernaryPacker {
 public:
  EDT_BACKEND_KERNELS

  bool has_integer_products() const override { return onednn_has_vnni(); }
  WeightHold quantize(T weight) override;
  WeightHold pack_ternary(T weight) override;

  std::unique_ptr<MatmulCeiling> matmul_ceiling(const std::vector<MatmulForm>& forms,
                                                DType dtype) override {
    return make_cpu_matmul_ceiling(forms, dtype);
  }

  // picture/convolution.cpp
  std::unique_ptr<ConvolutionCeiling> convolution_ceiling(std::span<const ConvolutionCall> calls,
                                                          DType dtype) override;

  // device.cpp
  std::string_view name() const override { return "cpu"; }
  Memory& memory() override { return host_memory(); }
  void zero(T tensor) override;
  void fill(T tensor, double value) override;
  void copy(T from, T to) override;
  void add_into(T from, T to) override;

 private:
  // linear.cpp: float32 memory for the result y of a product (y itself where it is float32), and
  // its way back to y.
  Matrix result_chunk(const Matrix& y);
  void finish_chunk(const Matrix& result, const Matrix& y, bool accumulate);
  // y (+)= a b
  void multiply_into(const Matrix& a, const Matrix& b, const Matrix& y, bool accumulate);
  // A weight as a product with so many rows takes it: packed, or as a dense operand in `slot`.
  struct Weight {
    std::shared_ptr<const PackedTernary> packed;
    Matrix dense;
  };
  Weight weight_for(T weight, std::int64_t rows, Slot slot);
  // y = x W^T + bias + positions for rows `first` on
  void linear_chunk(const Matrix& x, const Weight& weight, T bias, T positions, const Matrix& y,
                    std::int64_t first);
  // That of a weight in integers; nullptr: it is none.
  std::shared_ptr<Int8Weight> int8_weight(T weight) {
    return int8_ ? int8_->find(weight) : nullptr;
  }
  // Where nothing is kept for backward.
  bool is_int8(const MlpWeights& weights, T hidden) {
    return int8_ && !hidden.defined() && int8_->has(weights);
  }
  // mlp.cpp, by what lies between the two products
  template <class Form>
  void feed_forward(T x, const MlpWeights& weights, T hidden, T kept, T y);
  template <class Form>
  void feed_forward_backward(T dy, T x, T hidden, const MlpWeights& weights, G dx,
                             const MlpGrads& grads);

  // attention.cpp
  static AttentionPlan attention_plan(T qkv, Grid grid, T table);
  static AttentionPlan attention_plan(T qkv, Visible visible);
  const float* attention_bias(const AttentionPlan& plan, T table);
  void attention_run(const AttentionForward& call);
  void attention_run_backward(const AttentionBackward& call, G dtable);

  Scratch scratch_;
  Matmul matmul_{scratch_};
  std::unique_ptr<Int8Products> int8_;  // where weights are quantized
  WeightForms<PackedTernary> packed_;
};

}  // namespace edt
