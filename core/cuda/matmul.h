// Matrix products by cuBLASLt, in row-major terms, with what its epilogues can take along. Each
// product's algorithm is looked up once and kept: the one that was chosen for it before the run, or
// the library's first suggestion; so is whether it takes its epilogue along. A run does not time,
// because two algorithms may round differently and all ranks and runs must take the same one. A
// batch that stands for single products takes theirs.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "core/cuda/cuda_backend.h"
#include "core/cuda/gemm_plan.h"
#include "core/cuda/scratch.h"

namespace edt {

// A product with an epilogue, and the other way to its results.
struct FusedGemm {
  Gemm gemm;
  // The plain product and kernels. In a trial only the time counts: what is added to stays as it
  // is.
  std::function<void(bool is_trial)> apart;
  // What follows the product where it has taken its epilogue along; empty: nothing.
  std::function<void(bool is_trial)> after = {};
};

class CudaMatmul {
 public:
  CudaMatmul(const CudaContext& context, CudaScratch& scratch, const CudaOptions& options);

  // Throws CudaError when cuBLASLt has no algorithm.
  void run(const Gemm& gemm);

  // With the epilogue if cuBLASLt can fuse it and no timing has found the other way to be faster,
  // else apart.
  void run(const FusedGemm& call);

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
  void compare(const FusedGemm& call);
  void* workspace();

  const CudaContext& context_;
  CudaScratch& scratch_;
  bool tf32_, epilogues_;
  bool in_trial_ = false;  // products that add to something leave it as it is, and nothing counts
  int depth_ = 0;          // of calls that are done apart: those within are not calls of their own
  TunedGemms given_;
  GemmTuning* tuning_;
  std::map<GemmKey, std::unique_ptr<GemmPlan>> plans_;  // null: not possible, or apart is faster
  std::map<GemmKey, std::int64_t> calls_;
};

}  // namespace edt
