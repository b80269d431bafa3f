// Per head, with P recomputed from lse:
//   dP = dO V^T, delta = row sums of P dP, dS = P (dP - delta),
//   dQ = scale dS K, dK = dS^T (scale Q), dV = P^T dO.
// delta could be had as dO . O, but O may be rounded to bf16, and the sum costs next to nothing.
// P and dS exist for a group of panels at a time, small enough for L2.
#include "core/cpu/attention_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/attention_backward.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/attention_bias-inl.h"
#include "core/cpu/attention_pack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

struct Workspace {
  float *queries, *keys, *values, *key_columns, *douts;  // queries scaled; queries, douts padded
  float* lse;                                            // [padded]
  float *query_panel, *dout_panel, *dquery_panel;
  float *p, *ds;  // [panels of a group][tokens][panel]
  float *dkeys, *dvalues;
  float* dbias;  // bias_size, of one unit: the table's columns, or expanded to [tokens, padded]
  std::int32_t *key_offsets, *query_offsets;
  std::int64_t group, floats;

  Workspace(const AttentionPlan& plan, float* memory) {
    FloatStack stack{memory};
    const auto take = [&](std::int64_t n) { return stack.take(n); };
    constexpr std::int64_t kGroupFloats = 20480;
    constexpr std::int64_t kGroupQueries = 64;
    const std::int64_t fit = kGroupFloats / (plan.tokens * plan.panel);
    group = std::clamp<std::int64_t>(fit, 1, std::max<std::int64_t>(1, kGroupQueries / plan.panel));
    const std::int64_t blocks = (plan.size + kTileRows - 1) / kTileRows;
    queries = take(plan.padded * plan.padded_size);
    douts = take(plan.padded * plan.padded_size);
    keys = take(plan.tokens * plan.size);
    values = take(plan.tokens * plan.size);
    key_columns = take(blocks * kTileRows * plan.tokens);
    lse = take(plan.padded);
    query_panel = take(plan.size * plan.panel);
    dout_panel = take(plan.size * plan.panel);
    dquery_panel = take(plan.size * plan.panel);
    p = take(group * plan.tokens * plan.panel);
    ds = take(group * plan.tokens * plan.panel);
    dkeys = take(plan.tokens * plan.padded_size);
    dvalues = take(plan.tokens * plan.padded_size);
    dbias = take(plan.bias_size);
    key_offsets = reinterpret_cast<std::int32_t*>(take(plan.tokens));
    query_offsets = reinterpret_cast<std::int32_t*>(take(plan.padded));
    floats = stack.next - memory;
  }
};

std::int64_t WorkspaceFloats(const AttentionPlan& plan) { return Workspace(plan, nullptr).floats; }

// Scores and dP of one vector of queries become P and dS, and dS is added to dbias.
template <class Queries>
HWY_INLINE void Probabilities(const AttentionPlan& plan, const Queries& bias, FloatVec lse,
                              float* p, float* ds) {
  // In registers: stores may alias `plan`.
  const std::int64_t tokens = plan.tokens, panel = plan.panel;
  const std::int64_t grid = plan.bias == AttentionPlan::Bias::kGrid ? plan.grid.columns : 1;
  FloatVec delta = Zero();
  for (std::int64_t j = 0; j < tokens; ++j) {
    const std::int64_t at = j * panel;
    const FloatVec b = bias.Load(j);
    const FloatVec prob = Exp(hn::Add(LoadVec(p + at), hn::Sub(b, lse)));
    delta = hn::MulAdd(prob, LoadVec(ds + at), delta);
    StoreVec(prob, p + at);
  }
  // Down the columns of the grid: neighbours in a row would add to overlapping vectors of dbias,
  // and each load would wait for the store before it.
  for (std::int64_t column = 0; column < grid; ++column) {
    for (std::int64_t j = column; j < tokens; j += grid) {
      const std::int64_t at = j * panel;
      const FloatVec d = hn::Mul(LoadVec(p + at), hn::Sub(LoadVec(ds + at), delta));
      StoreVec(d, ds + at);
      bias.Add(j, d);
    }
  }
}

template <class T, class Bias>
void BackwardPanel(const AttentionBackward& a, const Workspace& w, std::int64_t unit,
                   const Bias& bias, std::int64_t first, float* p, float* ds) {
  const AttentionPlan& plan = a.plan;
  const std::int64_t panel = plan.panel, size = plan.size;
  PackPanel(w.queries + first * plan.padded_size, plan.padded_size, panel, panel, size, 1.0f,
            w.query_panel);
  PackPanel(w.douts + first * plan.padded_size, plan.padded_size, panel, panel, size, 1.0f,
            w.dout_panel);
  PanelProduct<2>(plan.tokens, {w.keys, kTileRows * size, size, 1, size}, w.query_panel, panel, p,
                  panel, false);
  PanelProduct<2>(plan.tokens, {w.values, kTileRows * size, size, 1, size}, w.dout_panel, panel, ds,
                  panel, false);
  for (int v = 0; v < 2; ++v) {
    const std::int64_t query = first + v * Lanes(), at = v * Lanes();
    Probabilities(plan, bias.At(query), LoadVec(w.lse + query), p + at, ds + at);
  }
  PanelProduct<2>(size, {w.key_columns, kTileRows * plan.tokens, 1, kTileRows, plan.tokens}, ds,
                  panel, w.dquery_panel, panel, false);
  T* dqueries = static_cast<T*>(a.dqkv.data) + plan.qkv_at(unit, 0) + first * plan.qkv_stride();
  UnpackPanel(w.dquery_panel, panel, std::min(panel, plan.tokens - first), size, plan.scale,
              dqueries, plan.qkv_stride(), a.accumulate);
}

template <class T>
void Load(const AttentionBackward& a, const Workspace& w, std::int64_t unit) {
  const AttentionPlan& p = a.plan;
  const auto* qkv = static_cast<const T*>(a.qkv.data);
  const auto* dout = static_cast<const T*>(a.dout.data) + p.out_at(unit);
  const std::int64_t stride = p.qkv_stride();
  PackRows(qkv + p.qkv_at(unit, 0), stride, p.tokens, p.padded, p.size, p.scale, w.queries,
           p.padded_size);
  PackRows(qkv + p.qkv_at(unit, 1), stride, p.tokens, p.tokens, p.size, 1.0f, w.keys, p.size);
  PackRows(qkv + p.qkv_at(unit, 2), stride, p.tokens, p.tokens, p.size, 1.0f, w.values, p.size);
  PackRows(dout, p.out_stride(), p.tokens, p.padded, p.size, 1.0f, w.douts, p.padded_size);
  PackColumns(w.keys, p.size, p.tokens, p.size, w.key_columns);
  PadLse(p, a.lse + p.lse_at(unit), w.lse);
}

template <class T, class Bias>
void BackwardUnit(const AttentionBackward& a, const Workspace& w, std::int64_t unit,
                  const Bias& bias) {
  const AttentionPlan& plan = a.plan;
  const std::int64_t panel_floats = plan.tokens * plan.panel;
  Load<T>(a, w, unit);
  const auto bytes = static_cast<std::size_t>(plan.tokens * plan.padded_size) * sizeof(float);
  std::memset(w.dkeys, 0, bytes);
  std::memset(w.dvalues, 0, bytes);
  for (std::int64_t first = 0; first < plan.tokens; first += w.group * plan.panel) {
    const std::int64_t panels = std::min(w.group, (plan.padded - first) / plan.panel);
    for (std::int64_t i = 0; i < panels; ++i) {
      BackwardPanel<T>(a, w, unit, bias, first + i * plan.panel, w.p + i * panel_floats,
                       w.ds + i * panel_floats);
    }
    const std::int64_t block = kTileRows * plan.panel, at = first * plan.padded_size;
    WideProduct(plan.tokens, plan.padded_size,
                {w.p, block, plan.panel, 1, plan.panel, panels, panel_floats}, w.douts + at,
                plan.padded_size, w.dvalues, plan.padded_size);
    WideProduct(plan.tokens, plan.padded_size,
                {w.ds, block, plan.panel, 1, plan.panel, panels, panel_floats}, w.queries + at,
                plan.padded_size, w.dkeys, plan.padded_size);
  }
  T* dqkv = static_cast<T*>(a.dqkv.data);
  PutRows(w.dkeys, plan, dqkv + plan.qkv_at(unit, 1), a.accumulate);
  PutRows(w.dvalues, plan, dqkv + plan.qkv_at(unit, 2), a.accumulate);
}

void BackwardUnits(const AttentionBackward& a, float* memory, float* dtable, std::int64_t begin,
                   std::int64_t end) {
  const AttentionPlan& plan = a.plan;
  const Workspace w(plan, memory);
  const std::int64_t rows = plan.grid.distances();
  for (std::int64_t unit = begin; unit < end; ++unit) {
    std::memset(w.dbias, 0, static_cast<std::size_t>(plan.bias_size) * sizeof(float));
    WithBias(plan, a.bias, w.dbias, a.ids, unit, w.key_offsets, w.query_offsets,
             [&](const auto& bias) {
               if (a.qkv.dtype == DType::kFloat32) {
                 BackwardUnit<float>(a, w, unit, bias);
               } else {
                 BackwardUnit<bfloat16>(a, w, unit, bias);
               }
             });
    if (plan.bias != AttentionPlan::Bias::kNone)
      FoldBias(plan, w.dbias, dtable + plan.head_of(unit) * rows);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edt {

HWY_EXPORT(WorkspaceFloats);
HWY_EXPORT(BackwardUnits);

std::int64_t attention_backward_floats(const AttentionPlan& plan) {
  return HWY_DYNAMIC_DISPATCH(WorkspaceFloats)(plan);
}
void attention_backward_units(const AttentionBackward& a, float* memory, float* dtable,
                              std::int64_t begin, std::int64_t end) {
  HWY_DYNAMIC_DISPATCH(BackwardUnits)(a, memory, dtable, begin, end);
}

}  // namespace edt
#endif
