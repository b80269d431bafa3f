// The kernels of one head size lie in attention_tensor_backward.cuh; here is what follows them
// where several blocks share the keys.
#include "core/cuda/kernels/attention_tensor.cuh"

namespace edt {
namespace {

// dq (+)= the shares of the blocks of keys, in order; a thread for two elements of a row.
__global__ void __launch_bounds__(256) add_dq(AttentionCall call, int blocks) {
  wait_for_earlier_kernels();
  const AttentionSizes& s = call.sizes;
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * 256 + threadIdx.x;
  const std::int64_t total = static_cast<std::int64_t>(s.batch) * s.heads * s.tokens * s.size;
  const std::int64_t element = 2 * index;
  if (element >= total) return;
  float2 sum{0, 0};
  for (int block = 0; block < blocks; ++block) {
    const float2 part = *reinterpret_cast<const float2*>(call.dq + block * total + element);
    sum.x += part.x;
    sum.y += part.y;
  }
  const int column = static_cast<int>(element % s.size);
  const std::int64_t row = element / s.size;
  const int query = static_cast<int>(row % s.tokens);
  const int unit = static_cast<int>(row / s.tokens);
  put_pair(static_cast<Bf16*>(call.dqkv) + s.qkv_at(unit / s.heads, 0, unit % s.heads) +
               query * s.qkv_stride() + column,
           sum.x, sum.y, call.accumulate);
}

}  // namespace

void launch_attention_tensor_backward(cudaStream_t stream, const AttentionCall& call) {
  const AttentionSizes& s = call.sizes;
  with_head(s.size, [&](auto head) { launch_attention_backward<head>(stream, call); });
  const int blocks = key_blocks(s.tokens);
  if (blocks == 1) return;
  const std::int64_t pairs = static_cast<std::int64_t>(s.batch) * s.heads * s.tokens * s.size / 2;
  launch_programmatic(
      {stream, "attention backward", static_cast<unsigned>(divide_up(pairs, 256)), 256}, add_dq,
      call, blocks);
}

}  // namespace edt
