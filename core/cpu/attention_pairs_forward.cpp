#include "core/cpu/attention_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/attention_pairs_forward.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/attention_bias-inl.h"
#include "core/cpu/attention_pairs-inl.h"
#include "core/cpu/attention_softmax-inl.h"

#if HWY_TARGET == HWY_AVX3
HWY_PUSH_ATTRIBUTES(EDT_PAIRS_TARGET)
namespace edt {
namespace HWY_NAMESPACE {
namespace {

// Where one thread keeps what it works on.
struct Workspace {
  std::uint32_t* keys;           // [tokens][pairs of a token]
  std::uint32_t* values;         // [half of the tokens][size], pairs of tokens
  std::uint32_t* query_panel;    // [pairs of a token][panel]
  std::uint32_t* probabilities;  // [half of the tokens][panel]
  float *scores, *result;
  std::int32_t *key_offsets, *query_offsets;
  std::int64_t pairs, half, floats;

  Workspace(const AttentionPlan& p, float* memory)
      : pairs((p.size + 1) / 2), half((p.tokens + 1) / 2) {
    FloatStack stack{memory};
    const auto take = [&](std::int64_t n) {
      return reinterpret_cast<std::uint32_t*>(stack.take(n));
    };
    keys = take(p.tokens * pairs);
    values = take(half * p.size);
    query_panel = take(pairs * p.panel);
    probabilities = take(half * p.panel);
    scores = stack.take(p.tokens * p.panel);
    result = stack.take(p.size * p.panel);
    key_offsets = reinterpret_cast<std::int32_t*>(take(p.tokens));
    query_offsets = reinterpret_cast<std::int32_t*>(take(p.padded));
    floats = stack.next - memory;
  }
};

// exp(scale * score + bias - max) of one vector of queries, times the modulation where there is
// one, as pairs of keys.
template <class Queries>
HWY_INLINE Softmax SoftmaxPairs(const AttentionPlan& p, const Workspace& w, const Queries& bias,
                                const float* modulation, float* scores,
                                std::uint32_t* probabilities) {
  // In registers: stores may alias.
  const std::int64_t tokens = p.tokens, panel = p.panel, half = w.half, padded = p.padded;
  const FloatVec scale = Set(p.scale);
  FloatVec max = Set(-3.4e38f), sum = Zero();
  for (std::int64_t j = 0; j < tokens; ++j) {
    float* at = scores + j * panel;
    const FloatVec s = hn::MulAdd(LoadVec(at), scale, bias.Load(j));
    max = hn::Max(max, s);
    StoreVec(s, at);
  }
  const auto probability = [&](std::int64_t j) HWY_ATTR {
    const FloatVec e = Exp(hn::Sub(LoadVec(scores + j * panel), max));
    sum = hn::Add(sum, e);
    return modulation == nullptr ? e : hn::Mul(e, LoadVec(modulation + j * padded));
  };
  for (std::int64_t j = 0; j < half; ++j) {
    const FloatVec first = probability(j);
    const FloatVec second = j + half < tokens ? probability(j + half) : Zero();
    StorePairs(PairsOf(first, second), probabilities + j * panel);
  }
  return {max, sum};
}

template <class Bias>
void ForwardPanel(const AttentionForward& a, const Workspace& w, std::int64_t unit,
                  const Bias& bias, std::int64_t first) {
  const AttentionPlan& p = a.plan;
  const std::int64_t count = std::min(p.panel, p.tokens - first);
  const auto* queries =
      static_cast<const bfloat16*>(a.qkv.data) + p.qkv_at(unit, 0) + first * p.qkv_stride();
  PairPanel(queries, p.qkv_stride(), count, p.panel, p.size, w.query_panel);
  PairPanelProduct<2>(p.tokens, {w.keys, w.pairs, 1, w.pairs}, w.query_panel, p.panel, w.scores,
                      p.panel, false);
  FloatVec sums[2];
  for (int v = 0; v < 2; ++v) {
    const std::int64_t at = v * Lanes(), query = first + at;
    const auto softmax =
        SoftmaxPairs(p, w, bias.At(query), a.modulation == nullptr ? nullptr : a.modulation + query,
                     w.scores + at, w.probabilities + at);
    sums[v] = softmax.sum;
    if (a.lse != nullptr && query < p.tokens) {
      StoreLse(softmax, a.lse + p.lse_at(unit) + query, p.tokens - query);
    }
  }
  PairPanelProduct<2>(p.size, {w.values, 1, p.size, w.half}, w.probabilities, p.panel, w.result,
                      p.panel, false);
  for (int v = 0; v < 2; ++v) {
    ScaleColumns(hn::Div(Set(1.0f), sums[v]), p.size, p.panel, w.result + v * Lanes());
  }
  auto* out = static_cast<bfloat16*>(a.out.data) + p.out_at(unit) + first * p.out_stride();
  UnpackPanel(w.result, p.panel, count, p.size, 1.0f, out, p.out_stride(), false);
}

}  // namespace

std::int64_t PairsForwardFloats(const AttentionPlan& plan) {
  return Workspace(plan, nullptr).floats;
}

void PairsForwardUnits(const AttentionForward& a, float* memory, std::int64_t begin,
                       std::int64_t end) {
  const AttentionPlan& p = a.plan;
  const Workspace w(p, memory);
  const auto* qkv = static_cast<const bfloat16*>(a.qkv.data);
  for (std::int64_t unit = begin; unit < end; ++unit) {
    PairRows(qkv + p.qkv_at(unit, 1), p.qkv_stride(), p.tokens, p.size, w.keys);
    PairHalves(qkv + p.qkv_at(unit, 2), p.qkv_stride(), p.tokens, p.size, w.values);
    WithBias(p, a.bias, nullptr, a.ids, unit, w.key_offsets, w.query_offsets,
             [&](const auto& bias) {
               for (std::int64_t first = 0; first < p.tokens; first += p.panel) {
                 ForwardPanel(a, w, unit, bias, first);
               }
             });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
namespace edt {

#if HWY_TARGETS & HWY_AVX3
std::int64_t attention_pairs_forward_floats(const AttentionPlan& plan) {
  return N_AVX3::PairsForwardFloats(plan);
}
void attention_pairs_forward_units(const AttentionForward& a, float* memory, std::int64_t begin,
                                   std::int64_t end) {
  N_AVX3::PairsForwardUnits(a, memory, begin, end);
}
#else
std::int64_t attention_pairs_forward_floats(const AttentionPlan&) { return 0; }
void attention_pairs_forward_units(const AttentionForward&, float*, std::int64_t, std::int64_t) {}
#endif

}  // namespace edt
#endif
