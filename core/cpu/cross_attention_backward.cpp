// Per head, with P recomputed from lse:
//   dP = dO V^T, delta = row sums of P dP, dS = P (dP - delta),
//   dQ = scale dS K, dK = dS^T (scale Q), dV = P^T dO.
#include "core/cpu/cross_attention_units.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/cross_attention_backward.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/attention_pack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

struct Workspace {
  float *queries, *douts;  // rows of a panel, queries scaled
  float *keys, *values, *key_columns;
  float *query_panel, *dout_panel, *dquery_panel;
  float *p, *ds;  // [keys][panel]
  float *dkeys, *dvalues;
  float* lse;  // of a panel
  std::int64_t floats;

  Workspace(const CrossAttentionPlan& c, float* memory) {
    FloatStack stack{memory};
    const auto take = [&](std::int64_t n) { return stack.take(n); };
    const std::int64_t blocks = (c.size + kTileRows - 1) / kTileRows;
    queries = take(c.panel * c.padded_size);
    douts = take(c.panel * c.padded_size);
    keys = take(c.keys * c.size);
    values = take(c.keys * c.size);
    key_columns = take(blocks * kTileRows * c.keys);
    query_panel = take(c.size * c.panel);
    dout_panel = take(c.size * c.panel);
    dquery_panel = take(c.size * c.panel);
    p = take(c.keys * c.panel);
    ds = take(c.keys * c.panel);
    dkeys = take(c.keys * c.padded_size);
    dvalues = take(c.keys * c.padded_size);
    lse = take(c.panel);
    floats = stack.next - memory;
  }
};

std::int64_t WorkspaceFloats(const CrossAttentionPlan& plan) {
  return Workspace(plan, nullptr).floats;
}

// Scores and dP of one vector of queries become P and dS.
HWY_INLINE void Probabilities(std::int64_t keys, std::int64_t panel, FloatVec lse, float* p,
                              float* ds) {
  FloatVec delta = Zero();
  for (std::int64_t j = 0; j < keys * panel; j += panel) {
    const FloatVec probability = Exp(hn::Sub(LoadVec(p + j), lse));
    delta = hn::MulAdd(probability, LoadVec(ds + j), delta);
    StoreVec(probability, p + j);
  }
  for (std::int64_t j = 0; j < keys * panel; j += panel) {
    StoreVec(hn::Mul(LoadVec(p + j), hn::Sub(LoadVec(ds + j), delta)), ds + j);
  }
}

template <class T>
void LoadPanel(const CrossAttentionPlan& c, const Workspace& w, std::int64_t unit,
               std::int64_t first) {
  const std::int64_t count = std::min(c.panel, c.queries - first), panel = c.panel;
  const std::int64_t at = c.query_at(unit) + first * c.query_stride();
  PackRows(static_cast<const T*>(c.q.data) + at, c.query_stride(), count, panel, c.size, c.scale,
           w.queries, c.padded_size);
  PackRows(static_cast<const T*>(c.dout.data) + at, c.query_stride(), count, panel, c.size, 1.0f,
           w.douts, c.padded_size);
  PackPanel(w.queries, c.padded_size, panel, panel, c.size, 1.0f, w.query_panel);
  PackPanel(w.douts, c.padded_size, panel, panel, c.size, 1.0f, w.dout_panel);
  // Queries that are not there have a probability next to nothing, and no gradient arrives.
  std::fill_n(w.lse, panel, 1e30f);
  std::copy_n(c.lse + c.lse_at(unit) + first, count, w.lse);
}

template <class T>
void BackwardPanel(const CrossAttentionPlan& c, const Workspace& w, std::int64_t unit,
                   std::int64_t first) {
  const std::int64_t keys = c.count(unit), panel = c.panel;
  LoadPanel<T>(c, w, unit, first);
  const std::int64_t rows = kTileRows * c.size;
  PanelProduct<2>(keys, {w.keys, rows, c.size, 1, c.size}, w.query_panel, panel, w.p, panel, false);
  PanelProduct<2>(keys, {w.values, rows, c.size, 1, c.size}, w.dout_panel, panel, w.ds, panel,
                  false);
  for (std::int64_t v = 0; v < panel; v += Lanes()) {
    Probabilities(keys, panel, LoadVec(w.lse + v), w.p + v, w.ds + v);
  }
  if (c.dq.data != nullptr) {
    PanelProduct<2>(c.size, {w.key_columns, kTileRows * keys, 1, kTileRows, keys}, w.ds, panel,
                    w.dquery_panel, panel, false);
    T* dq = static_cast<T*>(c.dq.data) + c.query_at(unit) + first * c.query_stride();
    UnpackPanel(w.dquery_panel, panel, std::min(panel, c.queries - first), c.size, c.scale, dq,
                c.query_stride(), c.add_dq);
  }
  const std::int64_t block = kTileRows * panel;
  WideProduct(keys, c.padded_size, {w.p, block, panel, 1, panel}, w.douts, c.padded_size, w.dvalues,
              c.padded_size);
  WideProduct(keys, c.padded_size, {w.ds, block, panel, 1, panel}, w.queries, c.padded_size,
              w.dkeys, c.padded_size);
}

// to[key] (+)= rows[key], with zeros behind the last key that is there.
template <class T>
void PutKeys(const CrossAttentionPlan& c, const float* rows, std::int64_t count, T* to) {
  for (std::int64_t j = 0; j < c.keys; ++j, to += c.key_stride()) {
    if (j >= count && c.add_dkv) return;
    for (std::int64_t i = 0; i < c.size; i += Lanes()) {
      const FloatVec v = j < count ? LoadVec(rows + j * c.padded_size + i) : Zero();
      PutVec(v, to + i, c.size - i, c.add_dkv);
    }
  }
}

template <class T>
void WithoutKeys(const CrossAttentionPlan& c, std::int64_t unit) {
  if (c.dq.data == nullptr || c.add_dq) return;
  T* dq = static_cast<T*>(c.dq.data) + c.query_at(unit);
  for (std::int64_t i = 0; i < c.queries; ++i, dq += c.query_stride()) {
    std::fill_n(dq, c.size, T(0.0f));
  }
}

template <class T>
void BackwardUnit(const CrossAttentionPlan& c, const Workspace& w, std::int64_t unit) {
  const std::int64_t keys = c.count(unit), stride = c.key_stride();
  if (keys == 0) {
    WithoutKeys<T>(c, unit);
  } else {
    const T* kv = static_cast<const T*>(c.kv.data);
    PackRows(kv + c.key_at(unit, 0), stride, keys, keys, c.size, 1.0f, w.keys, c.size);
    PackRows(kv + c.key_at(unit, 1), stride, keys, keys, c.size, 1.0f, w.values, c.size);
    PackColumns(w.keys, c.size, keys, c.size, w.key_columns);
    std::fill_n(w.dkeys, keys * c.padded_size, 0.0f);
    std::fill_n(w.dvalues, keys * c.padded_size, 0.0f);
    for (std::int64_t first = 0; first < c.queries; first += c.panel) {
      BackwardPanel<T>(c, w, unit, first);
    }
  }
  if (c.dkv.data == nullptr) return;
  T* dkv = static_cast<T*>(c.dkv.data);
  PutKeys(c, w.dkeys, keys, dkv + c.key_at(unit, 0));
  PutKeys(c, w.dvalues, keys, dkv + c.key_at(unit, 1));
}

void BackwardUnits(const CrossAttentionPlan& plan, float* memory, std::int64_t begin,
                   std::int64_t end) {
  const Workspace w(plan, memory);
  for (std::int64_t unit = begin; unit < end; ++unit) {
    if (plan.q.dtype == DType::kFloat32) {
      BackwardUnit<float>(plan, w, unit);
    } else {
      BackwardUnit<bfloat16>(plan, w, unit);
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
HWY_EXPORT(BackwardUnits);

std::int64_t cross_attention_backward_floats(const CrossAttentionPlan& plan) {
  return HWY_DYNAMIC_DISPATCH(WorkspaceFloats)(plan);
}
void cross_attention_backward_units(const CrossAttentionPlan& plan, float* memory,
                                    std::int64_t begin, std::int64_t end) {
  HWY_DYNAMIC_DISPATCH(BackwardUnits)(plan, memory, begin, end);
}

}  // namespace edt
#endif
