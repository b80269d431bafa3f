// y = x W^T + b: one product, the bias in its epilogue. Positions are laid down first, and the
// product adds to them.
#include "core/cuda/backend.h"
#include "core/cuda/kernels/elementwise.h"
#include "core/cuda/typed.h"

namespace edt {

void CudaBackend::linear_forward(T x, T weight, T bias, T positions, T y) {
  EDT_ASSERT(weight.dtype == x.dtype && y.dtype == x.dtype);
  Product product{.m = x.shape[0],
                  .n = weight.shape[0],
                  .k = x.shape[1],
                  .a = x.data,
                  .b = weight.data,
                  .b_transposed = true,
                  .in = element_of(x),
                  .y = y.data,
                  .out = y.dtype};
  if (positions.defined()) {
    EDT_ASSERT(positions.dtype == y.dtype);
    launch_add_rows(stream(), y.dtype, nullptr, {positions.data, positions.shape[0]}, y.data,
                    product.m, product.n);
    product.accumulate = true;
  }
  if (bias.defined()) {
    EDT_ASSERT(bias.dtype == x.dtype);
    product.epilogue = Epilogue::kBias;
    product.bias = bias.data;
    if (matmul_.try_run(product)) return;
    product.epilogue = Epilogue::kNone;
    product.bias = nullptr;
    launch_add_rows(stream(), y.dtype, product.accumulate ? y.data : nullptr, {bias.data}, y.data,
                    product.m, product.n);
    product.accumulate = true;
  }
  matmul_.run(product);
}

void CudaBackend::linear_backward_input(T dy, T weight, G dx) {
  EDT_ASSERT(weight.dtype == dy.dtype && dx.tensor.dtype == dy.dtype);
  matmul_.run({.m = dy.shape[0],
               .n = weight.shape[1],
               .k = weight.shape[0],
               .a = dy.data,
               .b = weight.data,
               .in = element_of(dy),
               .y = dx.tensor.data,
               .out = dx.tensor.dtype,
               .accumulate = dx.accumulate});
}

void CudaBackend::linear_backward_weight(T dy, T x, G dweight, G dbias) {
  EDT_ASSERT(dy.dtype == x.dtype);
  Product product{.m = dy.shape[1],
                  .n = x.shape[1],
                  .k = dy.shape[0],
                  .a = dy.data,
                  .a_transposed = true,
                  .b = x.data,
                  .in = element_of(dy),
                  .y = dweight.tensor.data,
                  .out = dweight.tensor.dtype,
                  .accumulate = dweight.accumulate};
  if (!dbias.wanted()) return matmul_.run(product);
  EDT_ASSERT(dbias.tensor.dtype == DType::kFloat32);
  // The epilogue overwrites; a sum goes by way of the scratch.
  product.epilogue = Epilogue::kRowSums;
  product.bias =
      dbias.accumulate ? scratch_.floats(ScratchSlot::kBias, product.m) : dbias.tensor.data;
  if (matmul_.try_run(product)) {
    if (!dbias.accumulate) return;
    launch_convert(stream(), {product.bias, DType::kFloat32}, {dbias.tensor.data, DType::kFloat32},
                   product.m, true);
    return;
  }
  product.epilogue = Epilogue::kNone;
  product.bias = nullptr;
  matmul_.run(product);
  add_bias_backward(dy, dbias);
}

}  // namespace edt
