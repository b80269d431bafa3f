#include "core/ops/kernel_attention.h"

#include "core/cuda/backend.h"
#include "core/cuda/kernels/kernel_attention.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

KernelAttentionCall kernel_attention_call(const Tensor& q, const Tensor& k, const Tensor& v,
                                          const Tensor& state, const Tensor& y) {
  constexpr std::int64_t kWidest = 128;  // of a head, whose state lies in shared memory
  require<NotImplemented>(q.shape[3] <= kWidest, "cuda",
                          "kernel_attention: heads of {} elements, at most {}", q.shape[3],
                          kWidest);
  check_batch("kernel_attention", q.shape[0] * q.shape[2]);
  return {.dtype = element_of(q),
          .batch = q.shape[0],
          .queries = q.shape[1],
          .keys = k.shape[1],
          .heads = static_cast<int>(q.shape[2]),
          .size = static_cast<int>(q.shape[3]),
          .epsilon = static_cast<float>(kKernelAttentionEpsilon),
          .q = q.data,
          .k = k.data,
          .v = v.data,
          .y = y.data,
          .state = state.as<float>()};
}

}  // namespace

void CudaBackend::kernel_attention_forward(T q, T k, T v, T state, T y) {
  launch_kernel_attention_forward(stream(), kernel_attention_call(q, k, v, state, y));
}

void CudaBackend::kernel_attention_backward(T dy, T q, T k, T v, T state, T y, G dq, G dk, G dv) {
  KernelAttentionCall call = kernel_attention_call(q, k, v, state, y);
  call.dy = dy.data;
  call.dstate = scratch_.floats(ScratchSlot::kSums, state.elements());
  call.quotients =
      scratch_.floats(ScratchSlot::kPartials, 2 * call.batch * call.heads * call.queries);
  if (dq.wanted()) call.dq = dq.tensor.data;
  if (dk.wanted()) call.dk = dk.tensor.data;
  if (dv.wanted()) call.dv = dv.tensor.data;
  call.accumulate_q = dq.accumulate;
  call.accumulate_k = dk.accumulate;
  call.accumulate_v = dv.accumulate;
  launch_kernel_attention_backward(stream(), call);
}

}  // namespace edt
