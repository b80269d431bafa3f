// Attention to texts call by call: units spread over the threads in a fixed way.
#include "core/cpu/attention_kernels.h"
#include "core/cpu/cross_attention_units.h"
#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"

namespace edt {

void CpuBackend::cross_attention_forward(T q, T kv, T lengths, T out, T lse) {
  CrossAttentionPlan plan(q, kv, lengths, attention_lanes());
  plan.out = {out.data, out.dtype};
  plan.lse = lse.defined() ? lse.as<float>() : nullptr;
  const std::int64_t floats = cross_attention_forward_floats(plan);
  float* memory = scratch_.floats(Slot::kAttention, thread_count() * floats);
  parallel_parts(plan.units(), 1, [&](std::int64_t part, Range r) {
    cross_attention_forward_units(plan, memory + part * floats, r.begin, r.end);
  });
}

void CpuBackend::cross_attention_backward(T dout, T q, T kv, T lengths, T, T lse, G dq, G dkv) {
  CrossAttentionPlan plan(q, kv, lengths, attention_lanes());
  plan.lse = lse.as<float>();
  plan.dout = {dout.data, dout.dtype};
  plan.dq = {dq.tensor.data, dq.tensor.dtype};
  plan.dkv = {dkv.tensor.data, dkv.tensor.dtype};
  plan.add_dq = dq.accumulate;
  plan.add_dkv = dkv.accumulate;
  const std::int64_t floats = cross_attention_backward_floats(plan);
  float* memory = scratch_.floats(Slot::kAttention, thread_count() * floats);
  parallel_parts(plan.units(), 1, [&](std::int64_t part, Range r) {
    cross_attention_backward_units(plan, memory + part * floats, r.begin, r.end);
  });
}

}  // namespace edt
