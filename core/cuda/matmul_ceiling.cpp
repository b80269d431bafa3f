// cuBLASLt's products on the GPU.
#include <algorithm>

#include "core/cuda/backend.h"

namespace edt {
namespace {

// Elements from one matrix of a batch to the next: as aligned as the first is, for which the
// library's algorithm is chosen.
std::int64_t aligned_distance(std::int64_t elements, DType dtype) {
  const auto per_vector = static_cast<std::int64_t>(kVectorBytes / size_of(dtype));
  return (elements + per_vector - 1) / per_vector * per_vector;
}

class CudaMatmulCeiling final : public MatmulCeiling {
 public:
  CudaMatmulCeiling(const std::vector<MatmulForm>& forms, DType dtype, CudaBackend& backend,
                    CudaMatmul& matmul)
      : MatmulCeiling(forms), dtype_(dtype), backend_(backend), matmul_(matmul) {
    std::int64_t a = 0, b = 0, c = 0;
    for (const MatmulForm& form : forms) {
      a = std::max(a, form.batch * aligned_distance(form.m * form.k, dtype));
      b = std::max(b, form.batch * aligned_distance(form.k * form.n, dtype));
      c = std::max(c, form.batch * aligned_distance(form.m * form.n, dtype));
    }
    a_ = operand(a, 0.5);
    b_ = operand(b, 0.25);
    c_ = operand(c, 0);
  }

  double run() override {
    return backend_.seconds_of([&] {
      for (const MatmulForm& form : forms()) {
        for (std::int64_t repeat = 0; repeat < form.count; ++repeat) matmul_.run(gemm_of(form));
      }
    });
  }
  DType dtype() const override { return dtype_; }

 private:
  Block operand(std::int64_t elements, double value) {
    Block block(backend_.memory(), static_cast<std::size_t>(elements) * size_of(dtype_));
    backend_.fill({block.data(), {elements}, dtype_}, value);
    return block;
  }

  Gemm gemm_of(const MatmulForm& form) const {
    return {.m = form.m,
            .n = form.n,
            .k = form.k,
            .a = a_.data(),
            .a_transposed = form.transposed_a,
            .b = b_.data(),
            .b_transposed = form.transposed_b,
            .in = dtype_,
            .y = c_.data(),
            .out = dtype_,
            .batch = {.count = form.batch,
                      .a = aligned_distance(form.m * form.k, dtype_),
                      .b = aligned_distance(form.k * form.n, dtype_),
                      .y = aligned_distance(form.m * form.n, dtype_)}};
  }

  DType dtype_;
  CudaBackend& backend_;
  CudaMatmul& matmul_;
  Block a_, b_, c_;
};

}  // namespace

std::unique_ptr<MatmulCeiling> CudaBackend::matmul_ceiling(const std::vector<MatmulForm>& forms,
                                                           DType dtype) {
  return std::make_unique<CudaMatmulCeiling>(forms, dtype, *this, matmul_);
}

}  // namespace edt
