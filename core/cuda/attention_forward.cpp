// Attention's forward pass.
#include "core/cuda/attention_choice.h"
#include "core/cuda/cuda_attention.h"
#include "core/cuda/kernels/attention_memory.h"

namespace edt {
namespace {

// Calls that the kernel of warpgroups takes, where there is one.
bool fits_warpgroups(const AttentionCall& call, int room) {
  return call.dtype == DType::kBFloat16 && call.ids == nullptr && call.modulation == nullptr &&
         warpgroups_fit(call.sizes) && lies_at(call.qkv, 16) && lies_at(call.out, 8) &&
         warpgroup_shared_bytes(call.sizes) <= room;
}

}  // namespace

MappedMatrix in_boxes_of_64(const AttentionSizes& s, const void* data, std::int64_t columns) {
  return {.data = data,
          .rows = std::int64_t{s.batch} * s.tokens,
          .columns = columns,
          .box_rows = s.tokens,
          .box_columns = 64,
          .swizzle = CU_TENSOR_MAP_SWIZZLE_128B};
}

QkvMaps map_qkv(const AttentionCall& call) {
  const AttentionSizes& s = call.sizes;
  MappedMatrix matrix = in_boxes_of_64(s, call.qkv, s.qkv_stride());
  QkvMaps maps{.columns_64 = map_of(matrix)};
  if (s.size <= matrix.box_columns) return maps;
  matrix.box_columns = 16;
  matrix.swizzle = CU_TENSOR_MAP_SWIZZLE_32B;
  maps.columns_16 = map_of(matrix);
  return maps;
}

// out and lse of both.
CudaAttention::Comparison CudaAttention::compare_forward(const AttentionCall& call) {
  const AttentionSizes& s = call.sizes;
  const std::int64_t rows = std::int64_t{s.batch} * s.heads * s.tokens, elements = rows * s.size;
  AttentionCall one = call, other = call;
  if (one.lse == nullptr) one.lse = scratch_.floats(ScratchSlot::kSums, rows);
  other.out = scratch_.bytes(ScratchSlot::kDq, static_cast<std::size_t>(elements) * 2);
  other.lse = scratch_.floats(ScratchSlot::kPartials, rows);
  return {
      .by_warps = [=, this] { launch_attention_tensor(context_.stream(), one, forward_warps(s)); },
      .by_groups = [=,
                    this] { launch_attention_warpgroup(context_.stream(), other, map_qkv(other)); },
      .difference =
          [=, this] {
            return std::max(
                share_apart(read<bfloat16>(one.out, elements), read<bfloat16>(other.out, elements)),
                share_apart(read<float>(one.lse, rows), read<float>(other.lse, rows)));
          }};
}

void CudaAttention::forward(const AttentionCall& call) {
  if (fits_warpgroups(call, context_.most_shared_memory()) &&
      takes_warpgroups(key_of(call), [&] { return compare_forward(call); })) {
    launch_attention_warpgroup(context_.stream(), call, map_qkv(call));
  } else if (on_tensor_cores(call, context_.most_shared_memory())) {
    launch_attention_tensor(context_.stream(), call, forward_warps(call.sizes));
  } else {
    launch_attention_plain(context_.stream(), call);
  }
}

}  // namespace edt
