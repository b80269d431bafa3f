#include "core/cuda/kernels/cross_attention.h"

#include "core/cuda/backend.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

CrossAttentionCall cross_call_of(const Tensor& q, const Tensor& kv, const Tensor& lengths) {
  check_batch("cross_attention", q.shape[0]);
  require<NotImplemented>(q.shape[3] <= kPlainHead, "cuda",
                          "cross_attention: heads of {} elements, at most {}", q.shape[3],
                          kPlainHead);
  const auto axis = [](const Tensor& tensor, int i) { return static_cast<int>(tensor.shape[i]); };
  return {.dtype = element_of(q),
          .batch = axis(q, 0),
          .queries = axis(q, 1),
          .keys = axis(kv, 1),
          .heads = axis(q, 2),
          .size = axis(q, 3),
          .q = q.data,
          .kv = kv.data,
          .lengths = lengths.as<std::int32_t>()};
}

}  // namespace

void CudaBackend::cross_attention_forward(T q, T kv, T lengths, T out, T lse) {
  CrossAttentionCall call = cross_call_of(q, kv, lengths);
  call.out = out.data;
  call.lse = lse.defined() ? lse.as<float>() : nullptr;
  launch_cross_attention(stream(), call);
}

void CudaBackend::cross_attention_backward(T dout, T q, T kv, T lengths, T out, T lse, G dq,
                                           G dkv) {
  CrossAttentionCall call = cross_call_of(q, kv, lengths);
  call.out = out.data;
  call.lse = lse.as<float>();
  call.dout = dout.data;
  call.dq = dq.tensor.data;
  call.dkv = dkv.tensor.data;
  call.add_dq = dq.accumulate;
  call.add_dkv = dkv.accumulate;
  call.delta = scratch_.floats(ScratchSlot::kPartials, lse.elements());
  launch_cross_attention_backward(stream(), call);
}

}  // namespace edt
