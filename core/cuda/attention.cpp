// Which kernels a call takes, and the memory that their partial results need.
#include <array>

#include "core/cuda/attention_forward.h"
#include "core/cuda/backend.h"
#include "core/cuda/kernels/attention.h"
#include "core/cuda/kernels/attention_memory.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

AttentionSizes sizes_of(const Tensor& qkv, const TokenGrid& grid) {
  const auto axis = [&](int i) { return static_cast<int>(qkv.shape[i]); };
  check_batch("attention", qkv.shape[0]);
  require<NotImplemented>(qkv.shape[4] <= kPlainHead, "cuda",
                          "attention: heads of {} elements, at most {}", qkv.shape[4], kPlainHead);
  require<NotImplemented>(qkv.shape[1] <= 4096, "cuda", "attention: {} tokens, at most 4096",
                          qkv.shape[1]);
  return {.batch = axis(0),
          .tokens = axis(1),
          .heads = axis(3),
          .size = axis(4),
          .rows = static_cast<int>(grid.rows),
          .columns = static_cast<int>(grid.columns)};
}

AttentionCall call_of(const Tensor& qkv, const Tensor& table, const Tensor& out,
                      const VisibleTokens& visible) {
  EDT_ASSERT(out.dtype == qkv.dtype && (!table.defined() || table.dtype == qkv.dtype));
  return {.dtype = element_of(qkv),
          .sizes = sizes_of(qkv, visible.grid),
          .qkv = qkv.data,
          .table = table.data,
          .ids = visible.ids.defined() ? visible.ids.as<std::int32_t>() : nullptr,
          .places = visible.places.defined() ? visible.places.as<std::int32_t>() : nullptr,
          .out = out.data};
}

}  // namespace

void CudaBackend::attention_forward(T qkv, Grid grid, T table, T out, T lse) {
  visible_attention_forward(qkv, {{}, {}, grid}, table, out, lse);
}

void CudaBackend::visible_attention_forward(T qkv, Visible visible, T table, T out, T lse) {
  AttentionCall call = call_of(qkv, table, out, visible);
  call.lse = lse.defined() ? lse.as<float>() : nullptr;
  attention_.forward(call);
}

void CudaBackend::attention_modulated_forward(T qkv, Grid grid, T table, T modulation, T out) {
  AttentionCall call = call_of(qkv, table, out, {{}, {}, grid});
  call.modulation = modulation.as<float>();
  attention_.forward(call);
}

void CudaBackend::attention_backward(T dout, T qkv, Grid grid, T table, T out, T lse, G dqkv,
                                     G dtable) {
  visible_attention_backward(dout, qkv, {{}, {}, grid}, table, out, lse, dqkv, dtable);
}

void CudaBackend::visible_attention_backward(T dout, T qkv, Visible visible, T table, T out, T lse,
                                             G dqkv, G dtable) {
  AttentionCall call = call_of(qkv, table, out, visible);
  const AttentionSizes& s = call.sizes;
  call.lse = lse.as<float>();
  call.dout = dout.data;
  call.dqkv = dqkv.tensor.data;
  call.accumulate = dqkv.accumulate;
  const bool tensor = on_tensor_cores(call, context.most_shared_memory());
  const std::int64_t blocks = tensor ? key_blocks(s.tokens) : 1, shares = s.batch * blocks;
  if (dtable.wanted()) {
    call.dtables = scratch_.floats(ScratchSlot::kDtable, shares * s.heads * s.table_rows());
  }
  if (tensor) {
    call.skewed =
        dtable.wanted() && !visible.ids.defined() && takes_skewed(s, context.most_shared_memory());
    if (blocks > 1) call.dq = scratch_.floats(ScratchSlot::kDq, blocks * out.elements());
    launch_attention_tensor_backward(stream(), call);
  } else {
    call.delta = scratch_.floats(ScratchSlot::kPartials, lse.elements());
    launch_attention_plain_backward(stream(), call);
  }
  if (!dtable.wanted()) return;
  launch_add_tables(stream(), s, call.dtables, shares,
                    {dtable.tensor.as<float>(), dtable.tensor.shape[0], dtable.accumulate});
}

}  // namespace edt
