// One product as cuBLASLt knows it: its descriptors, the algorithms that the library suggests, and
// its launch by one of them.
#pragma once

#include <cublasLt.h>

#include <memory>
#include <string>
#include <vector>

#include "core/cuda/context.h"
#include "core/cuda/gemm.h"

namespace edt {

// What NVIDIA recommends for Hopper; less serves older GPUs.
inline constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;

// Some of the library's kernels read a bias or aux 16 bytes at a time without saying that they must
// (pytorch/pytorch#194497).
inline constexpr std::uint32_t kVectorBytes = 16;

struct DestroyDescriptor {
  void operator()(cublasLtMatmulDesc_t p) const { cublasLtMatmulDescDestroy(p); }
  void operator()(cublasLtMatrixLayout_t p) const { cublasLtMatrixLayoutDestroy(p); }
  void operator()(cublasLtMatmulPreference_t p) const { cublasLtMatmulPreferenceDestroy(p); }
};
template <class Handle>
using Descriptor = std::unique_ptr<std::remove_pointer_t<Handle>, DestroyDescriptor>;

class GemmPlan {
 public:
  GemmPlan(const CudaContext& context, const Gemm& gemm, bool tf32);

  // The library's first `count` suggestions, or less, best first; none: it cannot do the product.
  std::vector<cublasLtMatmulAlgo_t> suggestions(int count) const;
  // Whether the library can do the product by this algorithm in the workspace that there is.
  bool allows(const cublasLtMatmulAlgo_t& algorithm) const;
  // Asks for y = scale a b (+ y).
  cublasStatus_t launch(const Gemm& gemm, const cublasLtMatmulAlgo_t& algorithm, float scale,
                        void* workspace) const;

  const GemmKey key;
  cublasLtMatmulAlgo_t algorithm{};  // what runs take
  bool may_be_refused = false;       // when it is to run: there is another way

 private:
  void point_to(void* bias, void* aux) const;

  const CudaContext& context_;
  Descriptor<cublasLtMatmulDesc_t> description_;
  Descriptor<cublasLtMatrixLayout_t> a_, b_, y_;
};

// The library does not do this, nothing is broken, and there is another way: the product without
// its epilogue, or one at a time. It answers such a question with whatever status it comes upon;
// only a plain product has to get one that says so.
bool is_refusal(cublasStatus_t status, const GemmKey& key);

std::string text_of(const GemmKey& key);

}  // namespace edt
