// What attention's forward passes share: softmax of the columns of a panel, and what is kept of it.
#if defined(EDT_CORE_CPU_ATTENTION_SOFTMAX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDT_CORE_CPU_ATTENTION_SOFTMAX_INL_H_
#undef EDT_CORE_CPU_ATTENTION_SOFTMAX_INL_H_
#else
#define EDT_CORE_CPU_ATTENTION_SOFTMAX_INL_H_
#endif

#include <algorithm>
#include <cmath>

#include "core/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {

struct Softmax {  // of one vector of queries
  FloatVec max, sum;
};

inline void StoreLse(const Softmax& softmax, float* lse, std::int64_t count) {
  HWY_ALIGN float max[hn::MaxLanes(FloatTag())];
  HWY_ALIGN float sum[hn::MaxLanes(FloatTag())];
  StoreVec(softmax.max, max);
  StoreVec(softmax.sum, sum);
  for (std::int64_t i = 0; i < std::min(count, Lanes()); ++i) lse[i] = max[i] + std::log(sum[i]);
}

HWY_INLINE void ScaleColumns(FloatVec factor, std::int64_t rows, std::int64_t stride, float* m) {
  for (std::int64_t r = 0; r < rows; ++r) {
    StoreVec(hn::Mul(LoadVec(m + r * stride), factor), m + r * stride);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#endif
