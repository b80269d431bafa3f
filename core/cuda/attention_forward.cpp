#include "core/cuda/attention_forward.h"

#include <cmath>
#include <vector>

#include "core/base/error.h"
#include "core/cuda/error.h"
#include "core/cuda/gemm_timing.h"
#include "core/cuda/kernels/attention_memory.h"
#include "core/cuda/tensor_map.h"

namespace edt {
namespace {

bool lies_at(const void* p, std::uintptr_t bytes) {
  return reinterpret_cast<std::uintptr_t>(p) % bytes == 0;
}

AttentionKey key_of(const AttentionCall& call) {
  const AttentionSizes& s = call.sizes;
  return {s.batch, s.tokens, s.heads, s.size, s.rows, s.columns, call.table != nullptr};
}

// Calls that the kernel of warpgroups takes, where there is one.
bool fits_warpgroups(const AttentionCall& call, int room) {
  return call.dtype == DType::kBFloat16 && call.ids == nullptr && call.modulation == nullptr &&
         warpgroups_fit(call.sizes) && lies_at(call.qkv, 16) && lies_at(call.out, 8) &&
         warpgroup_shared_bytes(call.sizes) <= room;
}

// Both kernels round probabilities and results to bf16, after other sums and relative to other
// maxima: in emulation up to a quarter of this, with heads of 72.
constexpr double kMostDifference = 1.0 / 256;

// 1 where values are not finite.
template <class T>
double difference(const std::vector<T>& a, const std::vector<T>& b) {
  double squares = 0, of = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = static_cast<float>(a[i]), y = static_cast<float>(b[i]);
    squares += (x - y) * (x - y);
    of += x * x;
  }
  const double share = squares > 0 ? std::sqrt(squares / of) : squares;
  return std::isfinite(share) ? share : 1;
}

}  // namespace

// bf16 in rows that begin at 8 bytes, of a shape that the tensor-core kernels take on this GPU:
// beside an A100 or H100, others of compute capability 8 have shared memory for small shapes only.
bool on_tensor_cores(const AttentionCall& call, int room) {
  return call.dtype == DType::kBFloat16 && tensor_cores_fit(call.sizes) && lies_at(call.qkv, 8) &&
         lies_at(call.out, 8) && lies_at(call.dout, 8) && lies_at(call.dqkv, 8) &&
         (call.dqkv == nullptr ? forward_shared_bytes(call.sizes)
                               : backward_shared_bytes(call.sizes)) <= room;
}

QkvMaps map_qkv(const AttentionCall& call) {
  const AttentionSizes& s = call.sizes;
  MappedMatrix matrix{.data = call.qkv,
                      .rows = std::int64_t{s.batch} * s.tokens,
                      .columns = s.qkv_stride(),
                      .box_rows = s.tokens,
                      .box_columns = 64,
                      .swizzle = CU_TENSOR_MAP_SWIZZLE_128B};
  QkvMaps maps{.columns_64 = map_of(matrix)};
  if (s.size <= matrix.box_columns) return maps;
  matrix.box_columns = 16;
  matrix.swizzle = CU_TENSOR_MAP_SWIZZLE_32B;
  maps.columns_16 = map_of(matrix);
  return maps;
}

bool CudaAttention::have_warpgroups() {
  if (have_warpgroups_ < 0) {
    have_warpgroups_ = context_.is_hopper() && find_attention_warpgroup() == cudaSuccess ? 1 : 0;
    forget_error();
  }
  return have_warpgroups_ == 1;
}

bool CudaAttention::takes_warpgroups(const AttentionCall& call) {
  if (given_.empty() && tuning_ == nullptr) return false;
  if (!fits_warpgroups(call, context_.most_shared_memory())) return false;
  const AttentionKey key = key_of(call);
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
    found = tuning_->found_attentions.emplace(key, compare(call)).first;
  }
  return found->second.warpgroups;
}

// The values of both on the call's operands, and their times in turns.
TunedAttention CudaAttention::compare(const AttentionCall& call) {
  const AttentionSizes& s = call.sizes;
  const std::int64_t tokens = std::int64_t{s.batch} * s.heads * s.tokens;
  const auto elements = static_cast<std::size_t>(tokens * s.size);
  AttentionCall other = call;
  other.out = scratch_.bytes(ScratchSlot::kDq, elements * 2);
  AttentionCall one = call;
  if (one.lse == nullptr) one.lse = scratch_.floats(ScratchSlot::kSums, tokens);
  other.lse = scratch_.floats(ScratchSlot::kPartials, tokens);
  const QkvMaps maps = map_qkv(call);
  const auto by_warps = [&] { launch_attention_tensor(context_.stream(), one, forward_warps(s)); };
  const auto by_groups = [&] { launch_attention_warpgroup(context_.stream(), other, maps); };
  by_warps();
  by_groups();
  const auto values = [&]<class T>(const void* from, T, std::size_t count) {
    std::vector<T> host(count);
    check_cuda(cudaMemcpyAsync(host.data(), from, count * sizeof(T), cudaMemcpyDeviceToHost,
                               context_.stream()),
               "reading attention's results");
    check_cuda(cudaStreamSynchronize(context_.stream()), "comparing kernels of attention");
    return host;
  };
  const auto rows = static_cast<std::size_t>(tokens);
  const double apart = std::max(
      difference(values(one.out, bfloat16{}, elements), values(other.out, bfloat16{}, elements)),
      difference(values(one.lse, float{}, rows), values(other.lse, float{}, rows)));
  const std::vector<double> seconds =
      seconds_in_turns(context_.stream(), {by_warps, by_groups}, tuning_->rounds);
  const bool is_faster = seconds[1] < (1 - tuning_->margin) * seconds[0];
  return {.seconds = seconds[0],
          .warpgroup_seconds = seconds[1],
          .difference = apart,
          .rounds = tuning_->rounds,
          .warpgroups = is_faster && apart <= kMostDifference};
}

void CudaAttention::forward(const AttentionCall& call) {
  if (takes_warpgroups(call)) {
    launch_attention_warpgroup(context_.stream(), call, map_qkv(call));
  } else if (on_tensor_cores(call, context_.most_shared_memory())) {
    launch_attention_tensor(context_.stream(), call, forward_warps(call.sizes));
  } else {
    launch_attention_plain(context_.stream(), call);
  }
}

}  // namespace edt
