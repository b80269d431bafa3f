#include "core/cpu/elementwise.h"
#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/gate.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

template <class T>
void ForwardRow(const T* x, const T* gate, const T* h, T* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += Lanes()) {
    const std::int64_t left = n - i;
    StoreVec(hn::MulAdd(LoadVec(gate + i, left), LoadVec(h + i, left), LoadVec(x + i, left)), y + i,
             left);
  }
}

void Forward(DType dtype, const Span& x, const Columns& gate, const Span& h, const Span& y,
             std::int64_t tokens, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = gate.width;
  for (std::int64_t row = begin; row < end; ++row) {
    const std::int64_t at = row * n, b = row / tokens;
    if (dtype == DType::kFloat32) {
      ForwardRow(static_cast<const float*>(x.data) + at, gate.row<float>(b),
                 static_cast<const float*>(h.data) + at, static_cast<float*>(y.data) + at, n);
    } else {
      ForwardRow(static_cast<const bfloat16*>(x.data) + at, gate.row<bfloat16>(b),
                 static_cast<const bfloat16*>(h.data) + at, static_cast<bfloat16*>(y.data) + at, n);
    }
  }
}

// dh (+)= gate dy, dgate += h dy; dh may be null.
template <class T>
void BackwardRow(const T* dy, const T* gate, const T* h, T* dh, bool accumulate, float* dgate,
                 std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += Lanes()) {
    const std::int64_t left = n - i;
    const FloatVec d = LoadVec(dy + i, left);
    StoreVec(hn::MulAdd(d, LoadVec(h + i, left), LoadVec(dgate + i, left)), dgate + i, left);
    if (dh == nullptr) continue;
    PutVec(hn::Mul(d, LoadVec(gate + i, left)), dh + i, left, accumulate);
  }
}

template <class T>
void BackwardRows(const T* dy, const Columns& gate, const T* h, T* dh, bool accumulate,
                  float* dgate, std::int64_t tokens, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = gate.width;
  for (std::int64_t row = begin; row < end; ++row) {
    BackwardRow(dy + row * n, gate.row<T>(row / tokens), h + row * n,
                dh == nullptr ? nullptr : dh + row * n, accumulate, dgate, n);
  }
}

void Backward(DType dtype, const void* dy, const Columns& gate, const void* h, const GradTarget& dh,
              float* dgate, std::int64_t tokens, std::int64_t begin, std::int64_t end) {
  if (dtype == DType::kFloat32) {
    BackwardRows(static_cast<const float*>(dy), gate, static_cast<const float*>(h),
                 static_cast<float*>(dh.tensor.data), dh.accumulate, dgate, tokens, begin, end);
  } else {
    BackwardRows(static_cast<const bfloat16*>(dy), gate, static_cast<const bfloat16*>(h),
                 static_cast<bfloat16*>(dh.tensor.data), dh.accumulate, dgate, tokens, begin, end);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edt {
namespace {
HWY_EXPORT(Forward);
HWY_EXPORT(Backward);
}  // namespace

void CpuBackend::gate_residual_forward(T x, C gate, T h, T y) {
  with_float_type(x.dtype, [](auto) {});
  const std::int64_t tokens = x.shape[1];
  parallel_ranges(x.shape.rows(), 8, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(Forward)
    (x.dtype, {x.data, x.dtype}, gate, {h.data, h.dtype}, {y.data, y.dtype}, tokens, begin, end);
  });
}

void CpuBackend::gate_residual_backward(T dy, C gate, T h, G dh, C dgate) {
  with_float_type(dy.dtype, [](auto) {});
  const std::int64_t batch = dy.shape[0], tokens = dy.shape[1], width = gate.width;
  // As in the norm's backward: sums over slices of a sample's tokens, then over slices in order.
  const std::int64_t slices = std::min(tokens, (thread_count() + batch - 1) / batch);
  float* sums = scratch_.floats(Slot::kPartials, batch * slices * width);
  parallel_ranges(batch * slices, 1, [&](std::int64_t begin, std::int64_t end) {
    edt::fill({sums + begin * width}, (end - begin) * width, 0.0f);
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t first = task / slices * tokens;
      const Range part = part_of(tokens, slices, task % slices);
      HWY_DYNAMIC_DISPATCH(Backward)
      (dy.dtype, dy.data, gate, h.data, dh, sums + task * width, tokens, first + part.begin,
       first + part.end);
    }
  });
  if (!dgate.tensor.defined()) return;
  const Span target{dgate.tensor.data, dgate.tensor.dtype};
  for (std::int64_t b = 0; b < batch; ++b) {
    float* total = sums + b * slices * width;
    for (std::int64_t s = 1; s < slices; ++s) {
      convert({total + s * width}, {total}, width, true);
    }
    convert({total}, target.from(b * dgate.stride() + dgate.column), width, true);
  }
}

}  // namespace edt
#endif
