// Attention as its kernels are called: sizes and pointers (cuda_attention.h: which kernel).
#include "core/cuda/kernels/attention.h"
#include "core/cuda/backend.h"
#include "core/cuda/cuda_attention.h"
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
  call.lse = lse.as<float>();
  call.dout = dout.data;
  call.dqkv = dqkv.tensor.data;
  call.accumulate = dqkv.accumulate;
  TableTarget target;
  if (dtable.wanted()) {
    target = {dtable.tensor.as<float>(), dtable.tensor.shape[0], dtable.accumulate};
  }
  attention_.backward(call, target);
}

}  // namespace edt
