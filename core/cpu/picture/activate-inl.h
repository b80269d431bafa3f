// The functions of PictureActivation on vectors. Included once per Highway target.
#if defined(EDT_CORE_CPU_PICTURE_ACTIVATE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDT_CORE_CPU_PICTURE_ACTIVATE_INL_H_
#undef EDT_CORE_CPU_PICTURE_ACTIVATE_INL_H_
#else
#define EDT_CORE_CPU_PICTURE_ACTIVATE_INL_H_
#endif

#include "core/cpu/picture/channel_norm.h"
#include "core/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {

HWY_INLINE FloatVec Activated(PictureActivation activation, FloatVec v) {
  switch (activation) {
    case PictureActivation::kRelu:
      return hn::Max(v, Zero());
    case PictureActivation::kSilu:
      return hn::Mul(v, Sigmoid(v));
    default:
      return v;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#endif
