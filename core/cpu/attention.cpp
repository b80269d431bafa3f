// Attention call by call: the bias by head, units spread over the threads in a fixed way, and the
// bias gradients of the threads added in order.
#include "core/cpu/attention_kernels.h"
#include "core/cpu/cpu_library.h"
#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

namespace edt {
namespace {

// bias [heads, bias_size] from table [rows, heads], as AttentionPlan describes.
template <class E>
void arrange_bias(const AttentionPlan& plan, const E* table, float* bias) {
  parallel_ranges(plan.heads, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t h = begin; h < end; ++h) {
      float* to = bias + h * plan.bias_size;
      const auto entry = [&](std::int64_t row) {
        return static_cast<float>(table[row * plan.heads + h]);
      };
      if (plan.compact) {
        for (std::int64_t row = 0; row < plan.bias_size; ++row) to[row] = entry(row);
        continue;
      }
      for (std::int64_t j = 0; j < plan.tokens; ++j, to += plan.padded) {
        for (std::int64_t i = 0; i < plan.tokens; ++i) {
          to[i] = entry(plan.query_offset(i) + plan.key_offset(j));
        }
        std::fill(to + plan.tokens, to + plan.padded, 0.0f);
      }
    }
  });
}

// to [tokens, padded] = transposed modulation [tokens, tokens]
void transpose(const AttentionPlan& plan, const float* modulation, float* to) {
  for (std::int64_t j = 0; j < plan.tokens; ++j, to += plan.padded) {
    for (std::int64_t i = 0; i < plan.tokens; ++i) to[i] = modulation[i * plan.tokens + j];
    std::fill(to + plan.tokens, to + plan.padded, 0.0f);
  }
}

// Kernels for the type of a call's tensors.
struct Kernels {
  std::int64_t (*forward_floats)(const AttentionPlan&);
  std::int64_t (*backward_floats)(const AttentionPlan&);
  void (*forward)(const AttentionForward&, float*, std::int64_t, std::int64_t);
  void (*backward)(const AttentionBackward&, float*, float*, std::int64_t, std::int64_t);
};

Kernels kernels_for(DType dtype) {
  if (dtype == DType::kBFloat16 && onednn_has_native_bf16()) {
    return {attention_pairs_forward_floats, attention_pairs_backward_floats,
            attention_pairs_forward_units, attention_pairs_backward_units};
  }
  return {attention_forward_floats, attention_backward_floats, attention_forward_units,
          attention_backward_units};
}

}  // namespace

AttentionPlan CpuBackend::attention_plan(T qkv, Grid grid, T table) {
  using Bias = AttentionPlan::Bias;
  return {qkv, attention_lanes(), table.defined() ? Bias::kGrid : Bias::kNone, grid};
}

AttentionPlan CpuBackend::attention_plan(T qkv, Visible visible) {
  return {qkv, attention_lanes(), AttentionPlan::Bias::kVisible, visible.grid};
}

const float* CpuBackend::attention_bias(const AttentionPlan& plan, T table) {
  if (plan.bias == AttentionPlan::Bias::kNone) return nullptr;
  float* bias = scratch_.floats(Slot::kBias, plan.heads * plan.bias_size);
  with_float_type(table.dtype, [&]<class E>(E) { arrange_bias(plan, table.as<E>(), bias); });
  return bias;
}

void CpuBackend::attention_run(const AttentionForward& call) {
  const AttentionPlan& plan = call.plan;
  const Kernels kernels = kernels_for(call.qkv.dtype);
  const std::int64_t floats = kernels.forward_floats(plan);
  float* memory = scratch_.floats(Slot::kAttention, thread_count() * floats);
  parallel_parts(plan.units(), 1, [&](std::int64_t part, Range r) {
    kernels.forward(call, memory + part * floats, r.begin, r.end);
  });
}

void CpuBackend::attention_forward(T qkv, Grid grid, T table, T out, T lse) {
  const AttentionPlan plan = attention_plan(qkv, grid, table);
  attention_run({plan,
                 {qkv.data, qkv.dtype},
                 {out.data, out.dtype},
                 attention_bias(plan, table),
                 nullptr,
                 nullptr,
                 lse.defined() ? lse.as<float>() : nullptr});
}

void CpuBackend::visible_attention_forward(T qkv, Visible visible, T table, T out, T lse) {
  const AttentionPlan plan = attention_plan(qkv, visible);
  attention_run({plan,
                 {qkv.data, qkv.dtype},
                 {out.data, out.dtype},
                 attention_bias(plan, table),
                 visible.ids.as<std::int32_t>(),
                 nullptr,
                 lse.defined() ? lse.as<float>() : nullptr});
}

void CpuBackend::attention_modulated_forward(T qkv, Grid grid, T table, T modulation, T out) {
  const AttentionPlan plan = attention_plan(qkv, grid, table);
  float* transposed = scratch_.floats(Slot::kModulation, plan.tokens * plan.padded);
  transpose(plan, modulation.as<float>(), transposed);
  attention_run({plan,
                 {qkv.data, qkv.dtype},
                 {out.data, out.dtype},
                 attention_bias(plan, table),
                 nullptr,
                 transposed,
                 nullptr});
}

void CpuBackend::attention_backward(T dout, T qkv, Grid grid, T table, T, T lse, G dqkv, G dtable) {
  const AttentionPlan plan = attention_plan(qkv, grid, table);
  attention_run_backward({plan,
                          {dout.data, dout.dtype},
                          {qkv.data, qkv.dtype},
                          {dqkv.tensor.data, dqkv.tensor.dtype},
                          attention_bias(plan, table),
                          nullptr,
                          lse.as<float>(),
                          dqkv.accumulate},
                         dtable);
}

void CpuBackend::visible_attention_backward(T dout, T qkv, Visible visible, T table, T, T lse,
                                            G dqkv, G dtable) {
  const AttentionPlan plan = attention_plan(qkv, visible);
  attention_run_backward({plan,
                          {dout.data, dout.dtype},
                          {qkv.data, qkv.dtype},
                          {dqkv.tensor.data, dqkv.tensor.dtype},
                          attention_bias(plan, table),
                          visible.ids.as<std::int32_t>(),
                          lse.as<float>(),
                          dqkv.accumulate},
                         dtable);
}

void CpuBackend::attention_run_backward(const AttentionBackward& call, G dtable) {
  const AttentionPlan& plan = call.plan;
  const Kernels kernels = kernels_for(call.qkv.dtype);
  const std::int64_t floats = kernels.backward_floats(plan);
  const std::int64_t threads = thread_count();
  const std::int64_t rows = plan.bias == AttentionPlan::Bias::kNone ? 0 : plan.grid.distances();
  float* memory = scratch_.floats(Slot::kAttention, threads * floats);
  float* dtables = scratch_.floats(Slot::kPartials, threads * plan.heads * rows);
  edt::fill({dtables}, threads * plan.heads * rows, 0.0f);
  parallel_parts(plan.units(), 1, [&](std::int64_t part, Range r) {
    kernels.backward(call, memory + part * floats, dtables + part * plan.heads * rows, r.begin,
                     r.end);
  });
  if (!dtable.wanted()) return;
  if (!dtable.accumulate) zero(dtable.tensor);
  float* to = dtable.tensor.as<float>();
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t h = 0; h < plan.heads; ++h) {
      float sum = 0;
      for (std::int64_t t = 0; t < threads; ++t) sum += dtables[(t * plan.heads + h) * rows + row];
      to[row * plan.heads + h] += sum;
    }
  }
}

}  // namespace edt
