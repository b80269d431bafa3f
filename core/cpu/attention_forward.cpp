#include "core/cpu/attention_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/attention_forward.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/attention_bias-inl.h"
#include "core/cpu/attention_pack-inl.h"
#include "core/cpu/attention_softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

// Where one thread keeps what it works on.
struct Workspace {
  float *keys, *value_columns, *query_panel, *scores, *result;
  std::int32_t *key_offsets, *query_offsets;
  std::int64_t floats;

  Workspace(const AttentionPlan& p, float* memory) {
    FloatStack stack{memory};
    const auto take = [&](std::int64_t n) { return stack.take(n); };
    const std::int64_t blocks = (p.size + kTileRows - 1) / kTileRows;
    keys = take(p.tokens * p.size);
    value_columns = take(blocks * kTileRows * p.tokens);
    query_panel = take(p.size * p.panel);
    scores = take(p.tokens * p.panel);
    result = take(p.size * p.panel);
    key_offsets = reinterpret_cast<std::int32_t*>(take(p.tokens));
    query_offsets = reinterpret_cast<std::int32_t*>(take(p.padded));
    floats = stack.next - memory;
  }
};

std::int64_t WorkspaceFloats(const AttentionPlan& plan) { return Workspace(plan, nullptr).floats; }

std::int64_t VectorLanes() { return Lanes(); }

// exp(score + bias - max) of one vector of queries, in place.
template <class Queries>
HWY_INLINE Softmax SoftmaxColumns(const AttentionPlan& p, const Queries& bias, float* scores) {
  const std::int64_t tokens = p.tokens, panel = p.panel;  // in registers: stores may alias `p`
  FloatVec max = Set(-3.4e38f), sum = Zero();
  for (std::int64_t j = 0; j < tokens; ++j) {
    float* at = scores + j * panel;
    const FloatVec s = hn::Add(LoadVec(at), bias.Load(j));
    max = hn::Max(max, s);
    StoreVec(s, at);
  }
  for (std::int64_t j = 0; j < tokens; ++j) {
    float* at = scores + j * panel;
    const FloatVec e = Exp(hn::Sub(LoadVec(at), max));
    sum = hn::Add(sum, e);
    StoreVec(e, at);
  }
  return {max, sum};
}

HWY_INLINE void Modulate(const AttentionPlan& p, const float* modulation, float* scores) {
  for (std::int64_t j = 0; j < p.tokens; ++j) {
    float* at = scores + j * p.panel;
    StoreVec(hn::Mul(LoadVec(at), LoadVec(modulation + j * p.padded)), at);
  }
}

template <class T, class Bias>
void ForwardPanel(const AttentionForward& a, const Workspace& w, std::int64_t unit,
                  const Bias& bias, std::int64_t first) {
  const AttentionPlan& p = a.plan;
  const std::int64_t count = std::min(p.panel, p.tokens - first);
  const T* queries = static_cast<const T*>(a.qkv.data) + p.qkv_at(unit, 0) + first * p.qkv_stride();
  PackPanel(queries, p.qkv_stride(), count, p.panel, p.size, p.scale, w.query_panel);
  PanelProduct<2>(p.tokens, {w.keys, kTileRows * p.size, p.size, 1, p.size}, w.query_panel, p.panel,
                  w.scores, p.panel, false);
  FloatVec sums[2];
  for (int v = 0; v < 2; ++v) {
    const std::int64_t query = first + v * Lanes();
    float* scores = w.scores + v * Lanes();
    const auto softmax = SoftmaxColumns(p, bias.At(query), scores);
    sums[v] = softmax.sum;
    if (a.modulation != nullptr) Modulate(p, a.modulation + query, scores);
    if (a.lse != nullptr && query < p.tokens) {
      StoreLse(softmax, a.lse + p.lse_at(unit) + query, p.tokens - query);
    }
  }
  PanelProduct<2>(p.size, {w.value_columns, kTileRows * p.tokens, 1, kTileRows, p.tokens}, w.scores,
                  p.panel, w.result, p.panel, false);
  for (int v = 0; v < 2; ++v) {
    ScaleColumns(hn::Div(Set(1.0f), sums[v]), p.size, p.panel, w.result + v * Lanes());
  }
  T* out = static_cast<T*>(a.out.data) + p.out_at(unit) + first * p.out_stride();
  UnpackPanel(w.result, p.panel, count, p.size, 1.0f, out, p.out_stride(), false);
}

template <class T>
void ForwardUnit(const AttentionForward& a, const Workspace& w, std::int64_t unit) {
  const AttentionPlan& p = a.plan;
  const auto* qkv = static_cast<const T*>(a.qkv.data);
  const std::int64_t stride = p.qkv_stride();
  PackRows(qkv + p.qkv_at(unit, 1), stride, p.tokens, p.tokens, p.size, 1.0f, w.keys, p.size);
  PackColumns(qkv + p.qkv_at(unit, 2), stride, p.tokens, p.size, w.value_columns);
  WithBias(p, a.bias, nullptr, a.ids, unit, w.key_offsets, w.query_offsets, [&](const auto& bias) {
    for (std::int64_t first = 0; first < p.tokens; first += p.panel) {
      ForwardPanel<T>(a, w, unit, bias, first);
    }
  });
}

void ForwardUnits(const AttentionForward& a, float* memory, std::int64_t begin, std::int64_t end) {
  const Workspace w(a.plan, memory);
  for (std::int64_t unit = begin; unit < end; ++unit) {
    if (a.qkv.dtype == DType::kFloat32) {
      ForwardUnit<float>(a, w, unit);
    } else {
      ForwardUnit<bfloat16>(a, w, unit);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edt {

HWY_EXPORT(WorkspaceFloats);
HWY_EXPORT(VectorLanes);
HWY_EXPORT(ForwardUnits);

std::int64_t attention_lanes() { return HWY_DYNAMIC_DISPATCH(VectorLanes)(); }
std::int64_t attention_forward_floats(const AttentionPlan& plan) {
  return HWY_DYNAMIC_DISPATCH(WorkspaceFloats)(plan);
}
void attention_forward_units(const AttentionForward& a, float* memory, std::int64_t begin,
                             std::int64_t end) {
  HWY_DYNAMIC_DISPATCH(ForwardUnits)(a, memory, begin, end);
}

}  // namespace edt
#endif
