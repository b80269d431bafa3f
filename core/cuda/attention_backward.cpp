// Attention's backward pass.
#include <algorithm>
#include <array>

#include "core/cuda/attention_choice.h"
#include "core/cuda/cuda_attention.h"
#include "core/cuda/kernels/attention_memory.h"

namespace edt {
namespace {

// Calls that the kernel of warpgroups takes, where there is one.
bool backward_fits_warpgroups(const AttentionCall& call, int room) {
  return call.dtype == DType::kBFloat16 && call.ids == nullptr &&
         warpgroups_fit_backward(call.sizes) && lies_at(call.qkv, 16) && lies_at(call.dout, 16) &&
         lies_at(call.out, 16) && lies_at(call.dqkv, 8) &&
         warpgroup_backward_shared_bytes(call.sizes) <= room && on_tensor_cores(call, room);
}

std::int64_t qkv_elements(const AttentionSizes& s) {
  return std::int64_t{s.batch} * s.tokens * s.qkv_stride();
}
std::int64_t table_share_floats(const AttentionSizes& s) {
  return std::int64_t{s.batch} * key_blocks(s.tokens) * s.heads * s.table_rows();
}

// q's, k's or v's part of the gradient.
std::vector<bfloat16> part_of(const std::vector<bfloat16>& dqkv, const AttentionSizes& s,
                              int part) {
  const auto width = static_cast<std::ptrdiff_t>(s.out_stride());
  std::vector<bfloat16> values;
  for (auto row = dqkv.begin(); row != dqkv.end(); row += 3 * width) {
    values.insert(values.end(), row + part * width, row + (part + 1) * width);
  }
  return values;
}

}  // namespace

BackwardMaps map_backward(const AttentionCall& call) {
  const AttentionSizes& s = call.sizes;
  return {.qkv = map_of(in_boxes_of_64(s, call.qkv, s.qkv_stride())),
          .dout = map_of(in_boxes_of_64(s, call.dout, s.out_stride()))};
}

// dq, dk, dv and the table's gradient of both; each counts by itself, so that none hides another.
// dout is 0 in a new model, whose gates are closed: out takes its place.
CudaAttention::Comparison CudaAttention::compare_backward(const AttentionCall& call) {
  const AttentionSizes& s = call.sizes;
  const std::int64_t elements = qkv_elements(s);
  const std::int64_t shares = call.dtables == nullptr ? 0 : table_share_floats(s);
  AttentionCall one = call, other = call;
  one.accumulate = other.accumulate = false;
  one.dout = other.dout = call.out;
  one.dqkv = scratch_.bytes(ScratchSlot::kHidden, static_cast<std::size_t>(elements) * 2);
  other.dqkv = scratch_.bytes(ScratchSlot::kActivated, static_cast<std::size_t>(elements) * 2);
  if (shares > 0) other.dtables = scratch_.floats(ScratchSlot::kPartials, shares);
  const auto difference = [=, this] {
    const auto warps = read<bfloat16>(one.dqkv, elements);
    const auto groups = read<bfloat16>(other.dqkv, elements);
    double apart = 0;
    for (int part = 0; part < 3; ++part) {
      apart = std::max(apart, share_apart(part_of(warps, s, part), part_of(groups, s, part)));
    }
    if (shares == 0) return apart;
    return std::max(
        apart, share_apart(read<float>(one.dtables, shares), read<float>(other.dtables, shares)));
  };
  return {.by_warps = [=, this] { backward_on_tensor_cores(one); },
          .by_groups =
              [=, this] {
                launch_attention_warpgroup_backward(context_.stream(), other, map_backward(other));
              },
          .difference = difference};
}

void CudaAttention::backward_on_tensor_cores(const AttentionCall& call) {
  const AttentionSizes& s = call.sizes;
  AttentionCall own = call;
  own.skewed = call.dtables != nullptr && call.ids == nullptr &&
               takes_skewed(s, context_.most_shared_memory());
  const std::int64_t blocks = key_blocks(s.tokens);
  const std::int64_t elements = std::int64_t{s.batch} * s.tokens * s.out_stride();
  if (blocks > 1) own.dq = scratch_.floats(ScratchSlot::kDq, blocks * elements);
  launch_attention_tensor_backward(context_.stream(), own);
}

void CudaAttention::backward(AttentionCall call, const TableTarget& dtable) {
  const AttentionSizes& s = call.sizes;
  const int room = context_.most_shared_memory();
  const bool tensor = on_tensor_cores(call, room);
  const std::int64_t shares = std::int64_t{s.batch} * (tensor ? key_blocks(s.tokens) : 1);
  const bool wants_table = dtable.data != nullptr;
  if (wants_table) {
    call.dtables = scratch_.floats(ScratchSlot::kDtable, shares * s.heads * s.table_rows());
  }
  if (backward_fits_warpgroups(call, room) &&
      takes_warpgroups(key_of(call), [&] { return compare_backward(call); })) {
    launch_attention_warpgroup_backward(context_.stream(), call, map_backward(call));
  } else if (tensor) {
    backward_on_tensor_cores(call);
  } else {
    const std::int64_t rows = std::int64_t{s.batch} * s.heads * s.tokens;
    call.delta = scratch_.floats(ScratchSlot::kPartials, rows);
    launch_attention_plain_backward(context_.stream(), call);
  }
  if (wants_table) launch_add_tables(context_.stream(), s, call.dtables, shares, dtable);
}

}  // namespace edt
