#include "core/cuda/matmul.h"

#include <bit>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/cuda/error.h"
#include "core/cuda/gemm_timing.h"

namespace edt {

CudaMatmul::CudaMatmul(const CudaContext& context, CudaScratch& scratch, const CudaOptions& options)
    : context_(context),
      scratch_(scratch),
      tf32_(options.tf32),
      given_(options.gemms),
      tuning_(options.tuning) {}

void* CudaMatmul::workspace() { return scratch_.bytes(ScratchSlot::kWorkspace, kWorkspaceBytes); }

// cuBLASLt's heuristics fail within a capture (of CUDA 13.3, mudler/vllm.cpp#1732), and what they
// answered would depend on when they were asked. What is captured has been run before.
std::unique_ptr<GemmPlan> CudaMatmul::make(const Gemm& p) {
  require<CudaError>(!context_.is_capturing(), "cuda",
                     "the {} is asked for within a CUDA graph, and was not run before it",
                     text_of(GemmKey(p, tf32_)));
  auto plan = std::make_unique<GemmPlan>(context_, p, tf32_);
  if (p.epilogue != Epilogue::kNone && plan->key.extra_alignment < kVectorBytes) return nullptr;
  return choose(p, *plan) ? std::move(plan) : nullptr;
}

bool CudaMatmul::choose(const Gemm& p, GemmPlan& plan) {
  if (p.batch.as_singles) return take_from_single(p, plan);
  const auto given = given_.gemms.find(plan.key);
  if (given != given_.gemms.end()) return take_given(given->second, plan);
  return tuning_ != nullptr ? take_fastest(p, plan) : take_first(plan);
}

// The first product is run by itself: an algorithm may be refused no sooner. Then the library is
// asked whether it can do the batch, in the workspace that there is.
bool CudaMatmul::take_from_single(const Gemm& p, GemmPlan& plan) {
  EDT_ASSERT(!p.accumulate);
  Gemm one = p;
  one.batch = {};
  if (!try_run(one)) return false;
  plan.algorithm = find(one)->algorithm;
  plan.may_be_refused = true;
  return plan.allows(plan.algorithm);
}

// Another algorithm would have other bits: what cannot be taken ends the run.
bool CudaMatmul::take_given(const TunedGemm& given, GemmPlan& plan) const {
  plan.algorithm = std::bit_cast<cublasLtMatmulAlgo_t>(given.algorithm);
  require<CudaError>(plan.allows(plan.algorithm), "cuda",
                     "{}: cuBLASLt does not take the algorithm that is given for the {}",
                     given_.source, text_of(plan.key));
  return true;
}

bool CudaMatmul::take_first(GemmPlan& plan) const {
  const auto suggested = plan.suggestions(1);
  if (suggested.empty()) return false;
  plan.algorithm = suggested[0];
  plan.may_be_refused = plan.key.epilogue != Epilogue::kNone;
  return true;
}

bool CudaMatmul::take_fastest(const Gemm& p, GemmPlan& plan) {
  const auto fastest = fastest_algorithm(context_.stream(), plan, p, workspace(), *tuning_);
  if (!fastest) return false;
  plan.algorithm = std::bit_cast<cublasLtMatmulAlgo_t>(fastest->algorithm);
  tuning_->found[plan.key] = *fastest;
  return true;
}

GemmPlan* CudaMatmul::find(const Gemm& gemm) {
  const GemmKey key(gemm, tf32_);
  const auto found = plans_.find(key);
  if (found != plans_.end()) return found->second.get();
  return plans_.emplace(key, make(gemm)).first->second.get();
}

bool CudaMatmul::try_run(const Gemm& p) {
  GemmPlan* plan = find(p);
  if (plan == nullptr) return false;
  const cublasStatus_t status = plan->launch(p, plan->algorithm, 1, workspace());
  if (plan->may_be_refused && is_refusal(status, plan->key)) {
    plans_[plan->key] = nullptr;  // suggested, and refused all the same
    return false;
  }
  check_cublas(status, text_of(plan->key));
  ++plan->calls;
  return true;
}

void CudaMatmul::run(const Gemm& gemm) {
  require<CudaError>(try_run(gemm), "cuda", "cuBLASLt has no algorithm for the {}",
                     text_of(GemmKey(gemm, tf32_)));
}

std::map<GemmKey, std::int64_t> CudaMatmul::calls() const {
  std::map<GemmKey, std::int64_t> counts;
  for (const auto& [key, plan] : plans_) {
    if (plan == nullptr) continue;
    GemmKey single = key;
    if (key.batch.as_singles) single.batch = {};
    counts[single] += plan->calls * (key.batch.as_singles ? key.batch.count : 1);
  }
  return counts;
}

}  // namespace edt
