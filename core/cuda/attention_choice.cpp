#include "core/cuda/attention_choice.h"

#include "core/base/error.h"
#include "core/cuda/cuda_attention.h"
#include "core/cuda/error.h"
#include "core/cuda/gemm_timing.h"
#include "core/cuda/kernels/attention_memory.h"

namespace edt {
namespace {

// Both kernels round probabilities, their gradients and results to bf16, after other sums and (in
// the forward pass) relative to other maxima: in emulation up to a quarter of this.
constexpr double kMostDifference = 1.0 / 256;

}  // namespace

AttentionKey key_of(const AttentionCall& call) {
  const AttentionSizes& s = call.sizes;
  return {.batch = s.batch,
          .tokens = s.tokens,
          .heads = s.heads,
          .size = s.size,
          .rows = s.rows,
          .columns = s.columns,
          .biased = call.table != nullptr,
          .backward = call.dqkv != nullptr};
}

// bf16 in rows that begin at 8 bytes, of a shape that the tensor-core kernels take on this GPU:
// beside an A100 or H100, others of compute capability 8 have shared memory for small shapes only.
bool on_tensor_cores(const AttentionCall& call, int room) {
  return call.dtype == DType::kBFloat16 && tensor_cores_fit(call.sizes) && lies_at(call.qkv, 8) &&
         lies_at(call.out, 8) && lies_at(call.dout, 8) && lies_at(call.dqkv, 8) &&
         (call.dqkv == nullptr ? forward_shared_bytes(call.sizes)
                               : backward_shared_bytes(call.sizes)) <= room;
}

bool CudaAttention::have_warpgroups() {
  if (have_warpgroups_ < 0) {
    have_warpgroups_ = context_.is_hopper() && find_attention_warpgroup() == cudaSuccess ? 1 : 0;
    forget_error();
  }
  return have_warpgroups_ == 1;
}

bool CudaAttention::takes_warpgroups(const AttentionKey& key,
                                     const std::function<Comparison()>& comparison) {
  const auto given = given_.find(key);
  if (given != given_.end()) {
    require<CudaError>(!given->second.warpgroups || have_warpgroups(), "cuda",
                       "{}: this build has no kernel of warpgroups for the GPU, which is given for "
                       "attention over {} tokens",
                       source_, key.tokens);
    return given->second.warpgroups;
  }
  if (tuning_ == nullptr || !have_warpgroups()) return false;
  auto found = tuning_->found_attentions.find(key);
  if (found == tuning_->found_attentions.end()) {
    found = tuning_->found_attentions.emplace(key, compare(comparison())).first;
  }
  return found->second.warpgroups;
}

// The values of both on the call's operands, and their times in turns.
TunedAttention CudaAttention::compare(const Comparison& ways) {
  ways.by_warps();
  ways.by_groups();
  const double apart = ways.difference();
  const std::vector<double> seconds =
      seconds_in_turns(context_.stream(), {ways.by_warps, ways.by_groups}, tuning_->rounds);
  const bool is_faster = seconds[1] < (1 - tuning_->margin) * seconds[0];
  return {.seconds = seconds[0],
          .warpgroup_seconds = seconds[1],
          .difference = apart,
          .rounds = tuning_->rounds,
          .warpgroups = is_faster && apart <= kMostDifference};
}

template <class T>
std::vector<T> CudaAttention::read(const void* from, std::int64_t count) {
  std::vector<T> host(static_cast<std::size_t>(count));
  check_cuda(cudaMemcpyAsync(host.data(), from, host.size() * sizeof(T), cudaMemcpyDeviceToHost,
                             context_.stream()),
             "reading attention's results");
  check_cuda(cudaStreamSynchronize(context_.stream()), "comparing kernels of attention");
  return host;
}
template std::vector<float> CudaAttention::read(const void*, std::int64_t);
template std::vector<bfloat16> CudaAttention::read(const void*, std::int64_t);

}  // namespace edt
