// How the scores of one vector of queries get their bias, and where its gradient is added.
#if defined(EDT_CORE_CPU_ATTENTION_BIAS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDT_CORE_CPU_ATTENTION_BIAS_INL_H_
#undef EDT_CORE_CPU_ATTENTION_BIAS_INL_H_
#else
#define EDT_CORE_CPU_ATTENTION_BIAS_INL_H_
#endif

#include "core/cpu/attention_plan.h"
#include "core/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {

// A head's bias, and the gradient of it or null. At(query) is the bias of the queries from there
// on, Load(j) what key j adds to their scores, Add(j, d) the gradient that comes back.
struct NoBias {
  struct Queries {
    HWY_INLINE FloatVec Load(std::int64_t) const { return Zero(); }
    HWY_INLINE void Add(std::int64_t, FloatVec) const {}
  };
  HWY_INLINE Queries At(std::int64_t) const { return {}; }
};

struct GridBias {
  const std::int64_t *row, *column;
  const float* bias;
  float* dbias;

  struct Queries {
    const std::int64_t* row;
    const float* bias;
    float* dbias;
    HWY_INLINE FloatVec Load(std::int64_t j) const { return LoadVec(bias + row[j]); }
    HWY_INLINE void Add(std::int64_t j, FloatVec d) const {
      float* sum = dbias + row[j];
      StoreVec(hn::Add(LoadVec(sum), d), sum);
    }
  };
  HWY_INLINE Queries At(std::int64_t query) const {
    const std::int64_t at = column[query / Lanes()];
    return {row, bias + at, dbias == nullptr ? nullptr : dbias + at};
  }
};

// Queries and keys stand anywhere on the grid: each has its offset into the table.
struct VisibleBias {
  const std::int32_t *keys, *queries;
  std::int64_t tokens;
  const float* bias;
  float* dbias;

  using IndexTag = hn::RebindToSigned<FloatTag>;
  struct Queries {
    const std::int32_t *keys, *queries;
    std::int64_t count;
    const float* bias;
    float* dbias;
    HWY_INLINE FloatVec Load(std::int64_t j) const {
      return hn::GatherIndex(FloatTag(), bias + keys[j], hn::LoadU(IndexTag(), queries));
    }
    HWY_INLINE void Add(std::int64_t j, FloatVec d) const {
      HWY_ALIGN float values[hn::MaxLanes(FloatTag())];
      hn::Store(d, FloatTag(), values);
      float* sum = dbias + keys[j];
      for (std::int64_t i = 0; i < count; ++i) sum[queries[i]] += values[i];
    }
  };
  HWY_INLINE Queries At(std::int64_t query) const {
    const std::int64_t count = std::max<std::int64_t>(0, std::min(Lanes(), tokens - query));
    return {keys, queries + query, count, bias, dbias};
  }
};

// Table offsets of a sample's visible tokens as keys [tokens] and as queries [padded]; queries that
// are not there read row 0.
inline void VisibleOffsets(const AttentionPlan& plan, const std::int32_t* ids, std::int32_t* keys,
                           std::int32_t* queries) {
  for (std::int64_t i = 0; i < plan.tokens; ++i) {
    keys[i] = static_cast<std::int32_t>(plan.key_offset(ids[i]));
    queries[i] = static_cast<std::int32_t>(plan.query_offset(ids[i]));
  }
  std::fill(queries + plan.tokens, queries + plan.padded, 0);
}

// f(the bias of a unit); `keys` and `queries` are memory for offsets.
template <class F>
HWY_INLINE void WithBias(const AttentionPlan& plan, const float* bias, float* dbias,
                         const std::int32_t* ids, std::int64_t unit, std::int32_t* keys,
                         std::int32_t* queries, F&& f) {
  const float* head = bias + plan.head_of(unit) * plan.bias_size;
  switch (plan.bias) {
    case AttentionPlan::Bias::kNone:
      return f(NoBias{});
    case AttentionPlan::Bias::kGrid:
      return f(GridBias{plan.row.data(), plan.column.data(), head, dbias});
    case AttentionPlan::Bias::kVisible:
      VisibleOffsets(plan, ids + plan.sample_of(unit) * plan.tokens, keys, queries);
      return f(VisibleBias{keys, queries, plan.tokens, head, dbias});
  }
}

// dtable[table row of (i, j)] += dbias of one unit
inline void FoldBias(const AttentionPlan& plan, const float* dbias, float* dtable) {
  if (plan.compact) {
    for (std::int64_t r = 0; r < plan.bias_size; r += Lanes()) {
      PutVec(LoadVec(dbias + r, plan.bias_size - r), dtable + r, plan.bias_size - r, true);
    }
    return;
  }
  for (std::int64_t j = 0; j < plan.tokens; ++j) {
    for (std::int64_t i = 0; i < plan.tokens; ++i) {
      dtable[plan.query_offset(i) + plan.key_offset(j)] += dbias[j * plan.padded + i];
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#endif
