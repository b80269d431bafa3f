#include "core/cuda/matmul.h"

#include <bit>
#include <utility>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/cuda/error.h"
#include "core/cuda/gemm_timing.h"

namespace edt {

CudaMatmul::CudaMatmul(const CudaContext& context, CudaScratch& scratch, const CudaOptions& options)
    : context_(context),
      scratch_(scratch),
      tf32_(options.tf32),
      epilogues_(options.epilogues),
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
  const bool is_possible = epilogues_ && plan->key.extra_alignment >= kVectorBytes;
  if (p.epilogue != Epilogue::kNone && !is_possible) return nullptr;
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
  if (given.apart) return false;
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

// The epilogue has its time with the fastest algorithm that has it, the other way with its
// product's own fastest, which the first trial finds.
void CudaMatmul::compare(const FusedGemm& call) {
  const GemmPlan* plan = find(call.gemm);
  const auto found = tuning_->found.find(GemmKey(call.gemm, tf32_));
  if (plan == nullptr || found == tuning_->found.end() || found->second.fused_seconds > 0) return;
  const bool was_in_trial = std::exchange(in_trial_, true);
  call.apart(true);
  const auto fused = [&] {
    check_cublas(plan->launch(call.gemm, plan->algorithm, trial_scale(call.gemm), workspace()),
                 text_of(plan->key));
    if (call.after) call.after(true);
  };
  const std::vector<double> seconds =
      seconds_in_turns(context_.stream(), {fused, [&] { call.apart(true); }}, tuning_->rounds);
  in_trial_ = was_in_trial;
  TunedGemm& tuned = found->second;
  tuned.fused_seconds = seconds[0];
  tuned.apart_seconds = seconds[1];
  tuned.apart = seconds[1] < (1 - tuning_->margin) * seconds[0];
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
  const float scale = in_trial_ ? trial_scale(p) : 1;
  const cublasStatus_t status = plan->launch(p, plan->algorithm, scale, workspace());
  if (plan->may_be_refused && is_refusal(status, plan->key)) {
    plans_[plan->key] = nullptr;  // suggested, and refused all the same
    return false;
  }
  check_cublas(status, text_of(plan->key));
  if (depth_ == 0 && !in_trial_) ++calls_[plan->key];
  return true;
}

void CudaMatmul::run(const Gemm& gemm) {
  require<CudaError>(try_run(gemm), "cuda", "cuBLASLt has no algorithm for the {}",
                     text_of(GemmKey(gemm, tf32_)));
}

void CudaMatmul::run(const FusedGemm& call) {
  const GemmKey key(call.gemm, tf32_);
  if (tuning_ != nullptr) {
    compare(call);
    const auto found = tuning_->found.find(key);
    if (found != tuning_->found.end() && found->second.apart) plans_[key] = nullptr;
  }
  if (try_run(call.gemm)) {
    if (call.after) call.after(in_trial_);
    return;
  }
  if (depth_ == 0 && !in_trial_) ++calls_[key];
  ++depth_;
  call.apart(in_trial_);
  --depth_;
}

std::map<GemmKey, std::int64_t> CudaMatmul::calls() const {
  std::map<GemmKey, std::int64_t> counts;
  for (const auto& [key, number] : calls_) {
    GemmKey single = key;
    if (key.batch.as_singles) single.batch = {};
    counts[single] += number * (key.batch.as_singles ? key.batch.count : 1);
  }
  return counts;
}

}  // namespace edt
