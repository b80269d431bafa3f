// As attention_backward.cpp, by dot products of pairs: P and dS are rounded to bf16, dS in two
// arrangements, pairs of keys for dQ and pairs of queries for dK.
#include "core/cpu/attention_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/attention_pairs_backward.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/attention_bias-inl.h"
#include "core/cpu/attention_pairs-inl.h"

#if HWY_TARGET == HWY_AVX3
HWY_PUSH_ATTRIBUTES(EDT_PAIRS_TARGET)
namespace edt {
namespace HWY_NAMESPACE {
namespace {

struct Workspace {
  std::uint32_t *keys, *values;             // [tokens][pairs of a token]
  std::uint32_t* key_halves;                // [half of the tokens][size], pairs of tokens
  std::uint32_t *queries, *douts;           // [padded / 2][padded_size], pairs of tokens
  std::uint32_t *query_panel, *dout_panel;  // [pairs of a token][panel]
  float* lse;                               // [padded]
  float *scores, *dscores;                  // [tokens][panel], of one panel
  std::uint32_t* ds_halves;                 // [half of the tokens][panel], of one panel
  bfloat16 *p, *ds;                         // [panels of a group][tokens][panel]
  float* dquery_panel;                      // [size][panel]
  float *dkeys, *dvalues;                   // [tokens][padded_size]
  float* dbias;                             // bias_size, of one unit
  std::int32_t *key_offsets, *query_offsets;
  std::int64_t pairs, half, group, floats;

  Workspace(const AttentionPlan& plan, float* memory)
      : pairs((plan.size + 1) / 2), half((plan.tokens + 1) / 2) {
    FloatStack stack{memory};
    const auto take = [&](std::int64_t n) {
      return reinterpret_cast<std::uint32_t*>(stack.take(n));
    };
    // P and dS of a group fit into L2 beside the gradients.
    constexpr std::int64_t kGroupHalves = 65536;
    constexpr std::int64_t kGroupQueries = 128;
    const std::int64_t fit = kGroupHalves / (plan.tokens * plan.panel);
    group = std::clamp<std::int64_t>(fit, 1, kGroupQueries / plan.panel);
    keys = take(plan.tokens * pairs);
    values = take(plan.tokens * pairs);
    key_halves = take(half * plan.size);
    queries = take(plan.padded / 2 * plan.padded_size);
    douts = take(plan.padded / 2 * plan.padded_size);
    query_panel = take(pairs * plan.panel);
    dout_panel = take(pairs * plan.panel);
    lse = stack.take(plan.padded);
    scores = stack.take(plan.tokens * plan.panel);
    dscores = stack.take(plan.tokens * plan.panel);
    ds_halves = take(half * plan.panel);
    p = reinterpret_cast<bfloat16*>(take(group * plan.tokens * plan.panel / 2));
    ds = reinterpret_cast<bfloat16*>(take(group * plan.tokens * plan.panel / 2));
    dquery_panel = stack.take(plan.size * plan.panel);
    dkeys = stack.take(plan.tokens * plan.padded_size);
    dvalues = stack.take(plan.tokens * plan.padded_size);
    dbias = stack.take(plan.bias_size);
    key_offsets = reinterpret_cast<std::int32_t*>(take(plan.tokens));
    query_offsets = reinterpret_cast<std::int32_t*>(take(plan.padded));
    floats = stack.next - memory;
  }
};

// Scores and dP of one vector of queries become P and dS, and dS is added to dbias.
template <class Queries>
HWY_INLINE void Probabilities(const AttentionPlan& plan, const Workspace& w, const Queries& bias,
                              FloatVec lse, std::int64_t at, bfloat16* p, bfloat16* ds) {
  // In registers: stores may alias.
  const std::int64_t tokens = plan.tokens, panel = plan.panel, half = w.half;
  const std::int64_t grid = plan.bias == AttentionPlan::Bias::kGrid ? plan.grid.columns : 1;
  const FloatVec scale = Set(plan.scale);
  float *scores = w.scores + at, *dscores = w.dscores + at;
  std::uint32_t* halves = w.ds_halves + at;
  FloatVec delta = Zero();
  for (std::int64_t j = 0; j < tokens; ++j) {
    const std::int64_t key = j * panel;
    const FloatVec shifted = hn::Sub(bias.Load(j), lse);
    const FloatVec prob = Exp(hn::MulAdd(LoadVec(scores + key), scale, shifted));
    delta = hn::MulAdd(prob, LoadVec(dscores + key), delta);
    StoreVec(prob, scores + key);
    StoreHalves(prob, p + key);
  }
  // No HWY_ATTR: that would take away the instructions that this file has beyond the target's.
  const auto gradient = [&](std::int64_t j) {
    const std::int64_t key = j * panel;
    const FloatVec d = hn::Mul(LoadVec(scores + key), hn::Sub(LoadVec(dscores + key), delta));
    StoreHalves(d, ds + key);
    bias.Add(j, d);
    return d;
  };
  // Down the columns of the grid: neighbours in a row would add to overlapping vectors of dbias,
  // and each load would wait for the store before it.
  for (std::int64_t column = 0; column < grid; ++column) {
    for (std::int64_t j = column; j < half; j += grid) {
      const FloatVec first = gradient(j);
      const FloatVec second = j + half < tokens ? gradient(j + half) : Zero();
      StorePairs(PairsOf(first, second), halves + j * panel);
    }
  }
}

template <class Bias>
void BackwardPanel(const AttentionBackward& a, const Workspace& w, std::int64_t unit,
                   const Bias& bias, std::int64_t first, bfloat16* p, bfloat16* ds) {
  const AttentionPlan& plan = a.plan;
  const std::int64_t panel = plan.panel, size = plan.size;
  const std::int64_t count = std::min(panel, plan.tokens - first);
  const auto* queries =
      static_cast<const bfloat16*>(a.qkv.data) + plan.qkv_at(unit, 0) + first * plan.qkv_stride();
  const auto* douts =
      static_cast<const bfloat16*>(a.dout.data) + plan.out_at(unit) + first * plan.out_stride();
  PairPanel(queries, plan.qkv_stride(), count, panel, size, w.query_panel);
  PairPanel(douts, plan.out_stride(), count, panel, size, w.dout_panel);
  PairPanelProduct<2>(plan.tokens, {w.keys, w.pairs, 1, w.pairs}, w.query_panel, panel, w.scores,
                      panel, false);
  PairPanelProduct<2>(plan.tokens, {w.values, w.pairs, 1, w.pairs}, w.dout_panel, panel, w.dscores,
                      panel, false);
  for (int v = 0; v < 2; ++v) {
    const std::int64_t at = v * Lanes(), query = first + at;
    Probabilities(plan, w, bias.At(query), LoadVec(w.lse + query), at, p + at, ds + at);
  }
  PairPanelProduct<2>(size, {w.key_halves, 1, size, w.half}, w.ds_halves, panel, w.dquery_panel,
                      panel, false);
  auto* dqueries =
      static_cast<bfloat16*>(a.dqkv.data) + plan.qkv_at(unit, 0) + first * plan.qkv_stride();
  UnpackPanel(w.dquery_panel, panel, count, size, plan.scale, dqueries, plan.qkv_stride(),
              a.accumulate);
}

void Load(const AttentionBackward& a, const Workspace& w, std::int64_t unit) {
  const AttentionPlan& p = a.plan;
  const auto* qkv = static_cast<const bfloat16*>(a.qkv.data);
  const auto* dout = static_cast<const bfloat16*>(a.dout.data) + p.out_at(unit);
  const std::int64_t stride = p.qkv_stride();
  PairRows(qkv + p.qkv_at(unit, 1), stride, p.tokens, p.size, w.keys);
  PairRows(qkv + p.qkv_at(unit, 2), stride, p.tokens, p.size, w.values);
  PairHalves(qkv + p.qkv_at(unit, 1), stride, p.tokens, p.size, w.key_halves);
  PairNeighbours(qkv + p.qkv_at(unit, 0), stride, p.tokens, p.padded, p.size, w.queries,
                 p.padded_size);
  PairNeighbours(dout, p.out_stride(), p.tokens, p.padded, p.size, w.douts, p.padded_size);
  PadLse(p, a.lse + p.lse_at(unit), w.lse);
}

// Of one group's P or dS: pairs of queries, panel by panel.
LeftPairs QueryPairs(const bfloat16* of, const AttentionPlan& plan, std::int64_t panels) {
  const std::int64_t pairs = plan.panel / 2;
  return {reinterpret_cast<const std::uint32_t*>(of), pairs, 1, pairs, panels, plan.tokens * pairs};
}

template <class Bias>
void BackwardUnit(const AttentionBackward& a, const Workspace& w, std::int64_t unit,
                  const Bias& bias) {
  const AttentionPlan& plan = a.plan;
  const std::int64_t panel_halves = plan.tokens * plan.panel;
  Load(a, w, unit);
  const auto bytes = static_cast<std::size_t>(plan.tokens * plan.padded_size) * sizeof(float);
  std::memset(w.dkeys, 0, bytes);
  std::memset(w.dvalues, 0, bytes);
  for (std::int64_t first = 0; first < plan.tokens; first += w.group * plan.panel) {
    const std::int64_t panels = std::min(w.group, (plan.padded - first) / plan.panel);
    for (std::int64_t i = 0; i < panels; ++i) {
      BackwardPanel(a, w, unit, bias, first + i * plan.panel, w.p + i * panel_halves,
                    w.ds + i * panel_halves);
    }
    const std::int64_t at = first / 2 * plan.padded_size;
    WidePairProduct(plan.tokens, plan.padded_size, QueryPairs(w.p, plan, panels), w.douts + at,
                    plan.padded_size, w.dvalues, plan.padded_size);
    WidePairProduct(plan.tokens, plan.padded_size, QueryPairs(w.ds, plan, panels), w.queries + at,
                    plan.padded_size, w.dkeys, plan.padded_size);
  }
  auto* dqkv = static_cast<bfloat16*>(a.dqkv.data);
  PutRows(w.dkeys, plan, dqkv + plan.qkv_at(unit, 1), a.accumulate, plan.scale);
  PutRows(w.dvalues, plan, dqkv + plan.qkv_at(unit, 2), a.accumulate);
}

}  // namespace

std::int64_t PairsBackwardFloats(const AttentionPlan& plan) {
  return Workspace(plan, nullptr).floats;
}

void PairsBackwardUnits(const AttentionBackward& a, float* memory, float* dtable,
                        std::int64_t begin, std::int64_t end) {
  const AttentionPlan& plan = a.plan;
  const Workspace w(plan, memory);
  const std::int64_t rows = plan.grid.distances();
  for (std::int64_t unit = begin; unit < end; ++unit) {
    std::memset(w.dbias, 0, static_cast<std::size_t>(plan.bias_size) * sizeof(float));
    WithBias(plan, a.bias, w.dbias, a.ids, unit, w.key_offsets, w.query_offsets,
             [&](const auto& bias) { BackwardUnit(a, w, unit, bias); });
    if (plan.bias != AttentionPlan::Bias::kNone) {
      FoldBias(plan, w.dbias, dtable + plan.head_of(unit) * rows);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
namespace edt {

#if HWY_TARGETS & HWY_AVX3
std::int64_t attention_pairs_backward_floats(const AttentionPlan& plan) {
  return N_AVX3::PairsBackwardFloats(plan);
}
void attention_pairs_backward_units(const AttentionBackward& a, float* memory, float* dtable,
                                    std::int64_t begin, std::int64_t end) {
  N_AVX3::PairsBackwardUnits(a, memory, dtable, begin, end);
}
#else
std::int64_t attention_pairs_backward_floats(const AttentionPlan&) { return 0; }
void attention_pairs_backward_units(const AttentionBackward&, float*, float*, std::int64_t,
                                    std::int64_t) {}
#endif

}  // namespace edt
#endif
