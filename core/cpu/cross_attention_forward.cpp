#include "core/cpu/cross_attention_units.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/cross_attention_forward.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/attention_pack-inl.h"
#include "core/cpu/attention_softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

// Where one thread keeps what it works on.
struct Workspace {
  float *keys, *value_columns, *query_panel, *scores, *result;
  std::int64_t floats;

  Workspace(const CrossAttentionPlan& c, float* memory) {
    FloatStack stack{memory};
    const std::int64_t blocks = (c.size + kTileRows - 1) / kTileRows;
    keys = stack.take(c.keys * c.size);
    value_columns = stack.take(blocks * kTileRows * c.keys);
    query_panel = stack.take(c.size * c.panel);
    scores = stack.take(c.keys * c.panel);
    result = stack.take(c.size * c.panel);
    floats = stack.next - memory;
  }
};

std::int64_t WorkspaceFloats(const CrossAttentionPlan& plan) {
  return Workspace(plan, nullptr).floats;
}

// exp(score - max) of one vector of queries, in place.
HWY_INLINE Softmax SoftmaxKeys(std::int64_t keys, std::int64_t panel, float* scores) {
  FloatVec max = Set(-3.4e38f), sum = Zero();
  for (std::int64_t j = 0; j < keys; ++j) max = hn::Max(max, LoadVec(scores + j * panel));
  for (std::int64_t j = 0; j < keys; ++j) {
    const FloatVec e = Exp(hn::Sub(LoadVec(scores + j * panel), max));
    sum = hn::Add(sum, e);
    StoreVec(e, scores + j * panel);
  }
  return {max, sum};
}

template <class T>
void ForwardPanel(const CrossAttentionPlan& c, const Workspace& w, std::int64_t unit,
                  std::int64_t first) {
  const std::int64_t keys = c.count(unit), panel = c.panel;
  const std::int64_t count = std::min(panel, c.queries - first);
  const std::int64_t at = c.query_at(unit) + first * c.query_stride();
  PackPanel(static_cast<const T*>(c.q.data) + at, c.query_stride(), count, panel, c.size, c.scale,
            w.query_panel);
  PanelProduct<2>(keys, {w.keys, kTileRows * c.size, c.size, 1, c.size}, w.query_panel, panel,
                  w.scores, panel, false);
  FloatVec sums[2];
  for (int v = 0; v < 2; ++v) {
    const std::int64_t query = first + v * Lanes();
    const Softmax softmax = SoftmaxKeys(keys, panel, w.scores + v * Lanes());
    sums[v] = softmax.sum;
    if (c.lse != nullptr && query < c.queries) {
      StoreLse(softmax, c.lse + c.lse_at(unit) + query, c.queries - query);
    }
  }
  PanelProduct<2>(c.size, {w.value_columns, kTileRows * keys, 1, kTileRows, keys}, w.scores, panel,
                  w.result, panel, false);
  for (int v = 0; v < 2; ++v) {
    ScaleColumns(hn::Div(Set(1.0f), sums[v]), c.size, panel, w.result + v * Lanes());
  }
  UnpackPanel(w.result, panel, count, c.size, 1.0f, static_cast<T*>(c.out.data) + at,
              c.query_stride(), false);
}

template <class T>
void WithoutKeys(const CrossAttentionPlan& c, std::int64_t unit) {
  T* out = static_cast<T*>(c.out.data) + c.query_at(unit);
  for (std::int64_t i = 0; i < c.queries; ++i, out += c.query_stride()) {
    std::fill_n(out, c.size, T(0.0f));
  }
  if (c.lse != nullptr) std::fill_n(c.lse + c.lse_at(unit), c.queries, 0.0f);
}

template <class T>
void ForwardUnit(const CrossAttentionPlan& c, const Workspace& w, std::int64_t unit) {
  const std::int64_t keys = c.count(unit);
  if (keys == 0) return WithoutKeys<T>(c, unit);
  const T* kv = static_cast<const T*>(c.kv.data);
  PackRows(kv + c.key_at(unit, 0), c.key_stride(), keys, keys, c.size, 1.0f, w.keys, c.size);
  PackColumns(kv + c.key_at(unit, 1), c.key_stride(), keys, c.size, w.value_columns);
  for (std::int64_t first = 0; first < c.queries; first += c.panel) {
    ForwardPanel<T>(c, w, unit, first);
  }
}

void ForwardUnits(const CrossAttentionPlan& plan, float* memory, std::int64_t begin,
                  std::int64_t end) {
  const Workspace w(plan, memory);
  for (std::int64_t unit = begin; unit < end; ++unit) {
    if (plan.q.dtype == DType::kFloat32) {
      ForwardUnit<float>(plan, w, unit);
    } else {
      ForwardUnit<bfloat16>(plan, w, unit);
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
HWY_EXPORT(ForwardUnits);

std::int64_t cross_attention_forward_floats(const CrossAttentionPlan& plan) {
  return HWY_DYNAMIC_DISPATCH(WorkspaceFloats)(plan);
}
void cross_attention_forward_units(const CrossAttentionPlan& plan, float* memory,
                                   std::int64_t begin, std::int64_t end) {
  HWY_DYNAMIC_DISPATCH(ForwardUnits)(plan, memory, begin, end);
}

}  // namespace edt
#endif
