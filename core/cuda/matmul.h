// Matrix products by cuBLASLt, in row-major terms, with what its epilogues can take along. Each
// product's algorithm is looked up once and kept: the one that was chosen for it before the run, or
// the library's first suggestion. A run does not time, because two algorithms may round differently
// and all ranks and runs must take the same one. A batch that stands for single products takes
// theirs.
#pragma once

#include <map>
#include <memory>

#include "core/cuda/cuda_backend.h"
#include "core/cuda/gemm_plan.h"
#include "core/cuda/scratch.h"

namespace edt {

class CudaMatmul {
 public:
  CudaMatmul(const CudaContext& context, CudaScratch& scratch, const CudaOptions& options);

  // Throws CudaError when cuBLASLt has no algorithm.
  void run(const Gemm& gemm);

  // As run(), but false, with nothing done, when cuBLASLt cannot fuse the epilogue into this shape,
  // or cannot do the batch by the algorithm of its single products.
  bool try_run(const Gemm& gemm);

  // How often each was asked for. Products of a batch that stands for single ones count singly.
  std::map<GemmKey, std::int64_t> calls() const;

 private:
  GemmPlan* find(const Gemm& gemm);
  std::unique_ptr<GemmPlan> make(const Gemm& gemm);
  // Give the plan an algorithm; false: there is none.
  bool choose(const Gemm& gemm, GemmPlan& plan);
  bool take_from_single(const Gemm& gemm, GemmPlan& plan);
  bool take_given(const TunedGemm& given, GemmPlan& plan) const;
  bool take_first(GemmPlan& plan) const;
  bool take_fastest(const Gemm& gemm, GemmPlan& plan);
  void* workspace();

  const CudaContext& context_;
  CudaScratch& scratch_;
  bool tf32_;
  TunedGemms given_;
  GemmTuning* tuning_;
  std::map<GemmKey, std::unique_ptr<GemmPlan>> plans_;  // null: not possible
};

}  // namespace edt
