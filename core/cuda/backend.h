// The one class behind make_cuda_backend(); each op family's kernels are in their own files: the
// calls in NAME.cpp, what runs on the GPU in kernels/NAME.cu.
#pragma once

#include "core/cuda/context.h"
#include "core/cuda/cuda_attention.h"
#include "core/cuda/cuda_backend.h"
#include "core/cuda/graph.h"
#include "core/cuda/matmul.h"
#include "core/cuda/on_stream.h"
#include "core/cuda/scratch.h"
#include "core/ops/kernel_list.h"

namespace edt {

// Made before the backend's base, which uses it.
struct CudaGpu {
  explicit CudaGpu(int device) : context(device), shared(device) {}

  CudaContext context;
  CudaShared shared;
};

class CudaBackend final : private CudaGpu, public OnStream<Backend> {
 public:
  EDT_BACKEND_KERNELS
  EDT_COMPOUND_KERNELS(EDT_OVERRIDE)

  explicit CudaBackend(const CudaOptions& options)
      : CudaGpu(options.device),
        OnStream(shared),
        scratch_(shared.memory),
        matmul_(context, scratch_, options),
        attention_(context, scratch_, options) {}

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
  void linears_forward(T x, std::span<const LinearMap> maps) override;

 private:
  // linear.cpp
  bool run_at_once(T x, std::span<const LinearMap> maps);
  void weight_columns_backward_input(T dy, T weight, std::int64_t column, G dx);
  void weight_columns_backward_weight(T dy, T x, std::int64_t column, G dweight, G dbias);
  Tensor concatenated(T a, T b);
  // mlp.cpp
  Tensor activated_for(const Tensor& kept, const MlpWeights& weights, std::int64_t rows);
  // picture/convolution.cpp
  void multiply_patches(const void* a, std::int64_t rows, T weight, T bias, void* y, bool add);

  CudaScratch scratch_;
  CudaMatmul matmul_;
  CudaAttention attention_;
  CudaGraph* capturing_ = nullptr;  // nullptr: calls are done as they come
};

}  // namespace edt
