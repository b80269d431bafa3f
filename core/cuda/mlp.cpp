// Two products, gelu in the epilogue of the first. cuBLASLt does not say how exact its gelu is:
// float32 takes the separate kernel. SwiGLU, which halves the columns, is a kernel between them.
#include "core/cuda/backend.h"
#include "core/cuda/kernels/elementwise.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

// CudaScratch memory as a [rows, columns] matrix.
Tensor scratch_matrix(CudaScratch& scratch, ScratchSlot slot, std::int64_t rows,
                      std::int64_t columns, DType dtype) {
  Tensor tensor{nullptr, {rows, columns}, dtype};
  tensor.data = scratch.bytes(slot, tensor.bytes());
  return tensor;
}

}  // namespace

Tensor CudaBackend::activated_for(const Tensor& kept, const MlpWeights& weights,
                                  std::int64_t rows) {
  if (kept.defined()) return kept;
  return scratch_matrix(scratch_, ScratchSlot::kActivated, rows, weights.fc2.shape[1],
                        element_of(weights.fc2));
}

void CudaBackend::mlp_forward(T x, const MlpWeights& weights, const MlpHidden& kept, T y) {
  const Tensor& hidden = kept.before;
  const std::int64_t rows = x.shape[0], width = weights.fc1.shape[0];
  const Tensor activated = activated_for(kept.after, weights, rows);
  EDT_ASSERT(weights.fc1.dtype == x.dtype && weights.fc1_bias.dtype == x.dtype);
  const Gemm fused{.m = rows,
                   .n = width,
                   .k = x.shape[1],
                   .a = x.data,
                   .b = weights.fc1.data,
                   .b_transposed = true,
                   .in = x.dtype,
                   .y = activated.data,
                   .out = x.dtype,
                   .epilogue = hidden.defined() ? Epilogue::kGeluAuxBias : Epilogue::kGeluBias,
                   .bias = weights.fc1_bias.data,
                   .aux = hidden.data};
  const auto apart = [&](bool) {
    const Tensor h = hidden.defined()
                         ? hidden
                         : scratch_matrix(scratch_, ScratchSlot::kHidden, rows, width, x.dtype);
    linear_forward(x, weights.fc1, weights.fc1_bias, {}, h);
    activation_forward(Activation::kGeluTanh, h, activated);
  };
  if (x.dtype == DType::kBFloat16) {
    matmul_.run(FusedGemm{fused, apart});
  } else {
    apart(false);
  }
  linear_forward(activated, weights.fc2, weights.fc2_bias, {}, y);
}

void CudaBackend::mlp_backward(T dy, T x, const MlpHidden& kept, const MlpWeights& weights, G dx,
                               const MlpGrads& grads) {
  const Tensor& hidden = kept.before;
  const std::int64_t rows = x.shape[0], width = weights.fc1.shape[0];
  const Tensor activated = activated_for(kept.after, weights, rows);
  const Tensor dhidden = scratch_matrix(scratch_, ScratchSlot::kHidden, rows, width, x.dtype);
  EDT_ASSERT(weights.fc2.dtype == dy.dtype && hidden.dtype == dy.dtype);
  const Gemm fused{.m = rows,
                   .n = width,
                   .k = dy.shape[1],
                   .a = dy.data,
                   .b = weights.fc2.data,
                   .in = dy.dtype,
                   .y = dhidden.data,
                   .out = dy.dtype,
                   .epilogue = Epilogue::kGeluSlope,
                   .aux = hidden.data};
  const auto apart = [&](bool) {
    linear_backward_input(dy, weights.fc2, {dhidden, false});
    if (kept.after.defined()) {
      activation_backward(Activation::kGeluTanh, dhidden, hidden, {dhidden, false});
    } else {
      launch_gelu_again(stream(), x.dtype, hidden.data, dhidden.data, activated.data, rows * width);
    }
  };
  const auto after = [&](bool) {
    if (!kept.after.defined()) activation_forward(Activation::kGeluTanh, hidden, activated);
  };
  if (x.dtype == DType::kBFloat16) {
    matmul_.run(FusedGemm{fused, apart, after});
  } else {
    apart(false);
  }
  linear_backward_weight(dy, activated, grads.fc2, grads.fc2_bias);
  linear_backward_weight(dhidden, x, grads.fc1, grads.fc1_bias);
  if (dx.wanted()) linear_backward_input(dhidden, weights.fc1, dx);
}

void CudaBackend::swiglu_forward(T x, const MlpWeights& weights, T hidden, T y) {
  const std::int64_t rows = x.shape[0], units = weights.fc2.shape[1];
  const Tensor activated = activated_for({}, weights, rows);
  const Tensor h = hidden.defined()
                       ? hidden
                       : scratch_matrix(scratch_, ScratchSlot::kHidden, rows, 2 * units, x.dtype);
  linear_forward(x, weights.fc1, weights.fc1_bias, {}, h);
  launch_silu_gate(stream(), x.dtype, h.data, activated.data, rows, units);
  linear_forward(activated, weights.fc2, weights.fc2_bias, {}, y);
}

void CudaBackend::swiglu_backward(T dy, T x, T hidden, const MlpWeights& weights, G dx,
                                  const MlpGrads& grads) {
  const std::int64_t rows = x.shape[0], units = weights.fc2.shape[1];
  const Tensor activated = activated_for({}, weights, rows);
  const Tensor dhidden = scratch_matrix(scratch_, ScratchSlot::kHidden, rows, 2 * units, x.dtype);
  EDT_ASSERT(hidden.dtype == dy.dtype);
  linear_backward_input(dy, weights.fc2, {activated, false});
  launch_silu_gate_again(stream(), x.dtype, hidden.data, activated.data, dhidden.data, rows, units);
  linear_backward_weight(dy, activated, grads.fc2, grads.fc2_bias);
  linear_backward_weight(dhidden, x, grads.fc1, grads.fc1_bias);
  if (dx.wanted()) linear_backward_input(dhidden, weights.fc1, dx);
}

}  // namespace edt
