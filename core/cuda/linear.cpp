// y = x W^T + b: one product, the bias in its epilogue. Positions are laid down first, and the
// product adds to them.
#include <optional>

#include "core/cuda/backend.h"
#include "core/cuda/error.h"
#include "core/cuda/kernels/elementwise.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

void* element_at(const Tensor& tensor, std::int64_t i) {
  return static_cast<std::byte*>(tensor.data) + static_cast<std::size_t>(i) * size_of(tensor.dtype);
}

Gemm gemm_of(const Tensor& x, const Tensor& weight, const Tensor& y) {
  EDT_ASSERT(weight.dtype == x.dtype && y.dtype == x.dtype);
  return {.m = x.shape[0],
          .n = weight.shape[0],
          .k = x.shape[1],
          .a = x.data,
          .b = weight.data,
          .b_transposed = true,
          .in = element_of(x),
          .y = y.data,
          .out = y.dtype};
}

void add_bias_to(Gemm& gemm, const Tensor& bias) {
  EDT_ASSERT(bias.dtype == gemm.in);
  gemm.epilogue = Epilogue::kBias;
  gemm.bias = bias.data;
}

// Elements from one tensor of the maps to the next; nothing where they lie at other distances, or
// are not all aligned alike: a single product could have another algorithm then.
std::optional<std::int64_t> distance(std::span<const LinearMap> maps, Tensor LinearMap::*member) {
  const auto address = [&](std::size_t i) {
    return reinterpret_cast<std::intptr_t>((maps[i].*member).data);
  };
  const std::intptr_t bytes = address(1) - address(0);
  for (std::size_t i = 1; i < maps.size(); ++i) {
    if (address(i) - address(i - 1) != bytes) return std::nullopt;
    if (alignment_of((maps[i].*member).data) != alignment_of((maps[0].*member).data))
      return std::nullopt;
  }
  const auto size = static_cast<std::intptr_t>(size_of((maps[0].*member).dtype));
  return bytes > 0 && bytes % size == 0 ? std::optional(bytes / size) : std::nullopt;
}

}  // namespace

void CudaBackend::linear_forward(T x, T weight, T bias, T positions, T y) {
  Gemm gemm = gemm_of(x, weight, y);
  if (positions.defined()) {
    EDT_ASSERT(positions.dtype == y.dtype);
    launch_add_rows(stream(), y.dtype, nullptr, {positions.data, positions.shape[0]}, y.data,
                    gemm.m, gemm.n);
    gemm.accumulate = true;
  }
  if (!bias.defined()) return matmul_.run(gemm);
  const auto apart = [&, plain = gemm](bool) {
    launch_add_rows(stream(), y.dtype, plain.accumulate ? y.data : nullptr, {bias.data}, y.data,
                    plain.m, plain.n);
    Gemm added = plain;
    added.accumulate = true;
    matmul_.run(added);
  };
  add_bias_to(gemm, bias);
  matmul_.run(FusedGemm{gemm, apart});
}

// One launch where the maps lie at equal distances, as those of blocks of one layout do, and where
// that keeps the bits of single products.
void CudaBackend::linears_forward(T x, std::span<const LinearMap> maps) {
  if (maps.size() > 1 && run_at_once(x, maps)) return;
  LinearKernels::linears_forward(x, maps);
}

bool CudaBackend::run_at_once(T x, std::span<const LinearMap> maps) {
  Gemm gemm = gemm_of(x, maps[0].weight, maps[0].y);
  gemm.batch = {.count = static_cast<std::int64_t>(maps.size()), .as_singles = true};
  const auto weights = distance(maps, &LinearMap::weight), results = distance(maps, &LinearMap::y);
  if (!weights || !results) return false;
  gemm.batch.b = *weights;
  gemm.batch.y = *results;
  if (maps[0].bias.defined()) {
    const auto biases = distance(maps, &LinearMap::bias);
    if (!biases) return false;
    add_bias_to(gemm, maps[0].bias);
    gemm.batch.bias = *biases;
  }
  return matmul_.try_run(gemm);
}

void CudaBackend::linear_backward_input(T dy, T weight, G dx) {
  weight_columns_backward_input(dy, weight, 0, dx);
}

// dx (+)= dy W', W' being the columns of W from `column` on that x has.
void CudaBackend::weight_columns_backward_input(T dy, T weight, std::int64_t column, G dx) {
  EDT_ASSERT(weight.dtype == dy.dtype && dx.tensor.dtype == dy.dtype);
  const std::int64_t width = dx.tensor.shape[1], stride = weight.shape[1];
  matmul_.run({.m = dy.shape[0],
               .n = width,
               .k = weight.shape[0],
               .a = dy.data,
               .b = element_at(weight, column),
               .in = element_of(dy),
               .y = dx.tensor.data,
               .out = dx.tensor.dtype,
               .accumulate = dx.accumulate,
               .b_stride = width == stride ? 0 : stride});
}

void CudaBackend::linear_backward_weight(T dy, T x, G dweight, G dbias) {
  weight_columns_backward_weight(dy, x, 0, dweight, dbias);
}

// The columns of dW from `column` on that x has (+)= dy^T x.
void CudaBackend::weight_columns_backward_weight(T dy, T x, std::int64_t column, G dweight,
                                                 G dbias) {
  EDT_ASSERT(dy.dtype == x.dtype);
  const std::int64_t width = x.shape[1], stride = dweight.tensor.elements() / dy.shape[1];
  Gemm gemm{.m = dy.shape[1],
            .n = width,
            .k = dy.shape[0],
            .a = dy.data,
            .a_transposed = true,
            .b = x.data,
            .in = element_of(dy),
            .y = element_at(dweight.tensor, column),
            .out = dweight.tensor.dtype,
            .accumulate = dweight.accumulate,
            .y_stride = width == stride ? 0 : stride};
  if (!dbias.wanted()) return matmul_.run(gemm);
  EDT_ASSERT(dbias.tensor.dtype == DType::kFloat32);
  const Gemm plain = gemm;
  void* const target = dbias.tensor.data;
  void* const sums =
      dbias.accumulate ? scratch_.floats(ScratchSlot::kBias, gemm.m) : dbias.tensor.data;
  // Where the sums are added to others a trial leaves these alone.
  const auto apart = [&](bool is_trial) {
    matmul_.run(plain);
    GradTarget to = dbias;
    if (is_trial) to.tensor.data = sums;
    add_bias_backward(dy, to);
  };
  gemm.epilogue = Epilogue::kRowSums;
  gemm.bias = sums;
  FusedGemm call{gemm, apart};
  // The epilogue overwrites.
  if (dbias.accumulate) {
    call.after = [&](bool is_trial) {
      launch_convert(stream(), {sums, DType::kFloat32}, {is_trial ? sums : target, DType::kFloat32},
                     plain.m, !is_trial);
    };
  }
  matmul_.run(call);
}

// The concatenation is made: two products would round y between them.
Tensor CudaBackend::concatenated(T a, T b) {
  EDT_ASSERT(a.dtype == b.dtype && a.shape[0] == b.shape[0]);
  const std::int64_t rows = a.shape[0], width = a.shape[1] + b.shape[1];
  Tensor both{nullptr, {rows, width}, a.dtype};
  both.data = scratch_.bytes(ScratchSlot::kHidden, both.bytes());
  const auto pitch = [](const Tensor& t) {
    return static_cast<std::size_t>(t.shape[1]) * size_of(t.dtype);
  };
  const auto put = [&](const Tensor& from, std::int64_t column) {
    check_cuda(cudaMemcpy2DAsync(element_at(both, column), pitch(both), from.data, pitch(from),
                                 pitch(from), static_cast<std::size_t>(rows),
                                 cudaMemcpyDeviceToDevice, stream()),
               "concatenation");
  };
  put(a, 0);
  put(b, a.shape[1]);
  return both;
}

void CudaBackend::concat_linear_forward(T a, T b, T weight, T bias, T y) {
  linear_forward(concatenated(a, b), weight, bias, {}, y);
}

void CudaBackend::concat_linear_backward_input(T dy, T weight, G da, G db) {
  if (da.wanted()) weight_columns_backward_input(dy, weight, 0, da);
  if (!db.wanted()) return;
  weight_columns_backward_input(dy, weight, weight.shape[1] - db.tensor.shape[1], db);
}

void CudaBackend::concat_linear_backward_weight(T dy, T a, T b, G dweight, G dbias) {
  weight_columns_backward_weight(dy, a, 0, dweight, dbias);
  weight_columns_backward_weight(dy, b, a.shape[1], dweight, {});
}

}  // namespace edt
