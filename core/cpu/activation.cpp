// gelu(x) = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3), because (1 + tanh u) / 2 =
// sigmoid(2u): no cancellation, and one exponential serves value and derivative. About 3 ulp.
#include "core/cpu/activation_kernels.h"
#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/activation.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

struct Value {
  FloatVec y, slope;
};

constexpr float kTwiceScale = 1.5957691216f;  // 2 sqrt(2/pi)
constexpr float kCubic = 0.044715f;

struct Gelu {
  static HWY_INLINE Value Both(FloatVec x) {
    const FloatVec square = hn::Mul(x, x);
    const FloatVec inner = hn::MulAdd(Set(kTwiceScale * kCubic), square, Set(kTwiceScale));
    const FloatVec s = Sigmoid(hn::Mul(x, inner));
    const FloatVec y = hn::Mul(x, s);
    const FloatVec d = hn::MulAdd(Set(3 * kTwiceScale * kCubic), square, Set(kTwiceScale));
    return {y, hn::MulAdd(hn::Mul(y, hn::Sub(Set(1.0f), s)), d, s)};
  }
};

struct Silu {
  static HWY_INLINE Value Both(FloatVec x) {
    const FloatVec s = Sigmoid(x);
    const FloatVec y = hn::Mul(x, s);
    return {y, hn::MulAdd(y, hn::Sub(Set(1.0f), s), s)};
  }
};

struct Relu {
  static HWY_INLINE Value Both(FloatVec x) {
    return {hn::Max(x, Set(0.0f)), hn::IfThenElseZero(hn::Gt(x, Set(0.0f)), Set(1.0f))};
  }
};

template <class F, class X, class Y>
void Activate(const X* x, Y* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += Lanes()) {
    StoreVec(F::Both(LoadVec(x + i, n - i)).y, y + i, n - i);
  }
}

template <class F, class X>
void ActivateTo(const X* x, const Span& y, std::int64_t n) {
  if (y.dtype == DType::kFloat32) return Activate<F>(x, static_cast<float*>(y.data), n);
  Activate<F>(x, static_cast<bfloat16*>(y.data), n);
}

template <class F>
void ActivateFrom(const Span& x, const Span& y, std::int64_t n) {
  if (x.dtype == DType::kFloat32) return ActivateTo<F>(static_cast<const float*>(x.data), y, n);
  ActivateTo<F>(static_cast<const bfloat16*>(x.data), y, n);
}

void ActivateSpan(Activation kind, const Span& x, const Span& y, std::int64_t n) {
  if (kind == Activation::kSilu) return ActivateFrom<Silu>(x, y, n);
  if (kind == Activation::kRelu) return ActivateFrom<Relu>(x, y, n);
  ActivateFrom<Gelu>(x, y, n);
}

template <class F, class T>
void Gradient(const T* dy, const T* x, T* dx, std::int64_t n, bool accumulate) {
  for (std::int64_t i = 0; i < n; i += Lanes()) {
    const FloatVec slope = F::Both(LoadVec(x + i, n - i)).slope;
    PutVec(hn::Mul(LoadVec(dy + i, n - i), slope), dx + i, n - i, accumulate);
  }
}

template <class T>
void GradientOf(Activation kind, const Span& dy, const Span& x, const Span& dx, std::int64_t n,
                bool accumulate) {
  const auto* d = static_cast<const T*>(dy.data);
  const auto* in = static_cast<const T*>(x.data);
  auto* out = static_cast<T*>(dx.data);
  if (kind == Activation::kSilu) return Gradient<Silu>(d, in, out, n, accumulate);
  if (kind == Activation::kRelu) return Gradient<Relu>(d, in, out, n, accumulate);
  Gradient<Gelu>(d, in, out, n, accumulate);
}

void GradientSpan(Activation kind, const Span& dy, const Span& x, const Span& dx, std::int64_t n,
                  bool accumulate) {
  if (x.dtype == DType::kFloat32) return GradientOf<float>(kind, dy, x, dx, n, accumulate);
  GradientOf<bfloat16>(kind, dy, x, dx, n, accumulate);
}

template <class X, class Y>
void GeluAgain(const float* dy, const X* x, Y* y, Y* dx, std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += Lanes()) {
    const Value v = Gelu::Both(LoadVec(x + i, n - i));
    const FloatVec d = LoadVec(dy + i, n - i);
    StoreVec(v.y, y + i, n - i);
    StoreVec(hn::Mul(d, v.slope), dx + i, n - i);
  }
}

template <class X>
void GeluAgainFrom(const float* dy, const X* x, const Span& y, const Span& dx, std::int64_t n) {
  if (y.dtype == DType::kFloat32) {
    GeluAgain(dy, x, static_cast<float*>(y.data), static_cast<float*>(dx.data), n);
  } else {
    GeluAgain(dy, x, static_cast<bfloat16*>(y.data), static_cast<bfloat16*>(dx.data), n);
  }
}

void GeluAgainSpan(const float* dy, const Span& x, const Span& y, const Span& dx, std::int64_t n) {
  if (x.dtype == DType::kFloat32) {
    GeluAgainFrom(dy, static_cast<const float*>(x.data), y, dx, n);
  } else {
    GeluAgainFrom(dy, static_cast<const bfloat16*>(x.data), y, dx, n);
  }
}

template <class X, class Y>
void SiluGate(const X* h, Y* y, std::int64_t rows, std::int64_t units) {
  for (std::int64_t r = 0; r < rows; ++r, h += 2 * units, y += units) {
    for (std::int64_t i = 0; i < units; i += Lanes()) {
      const FloatVec gate = Silu::Both(LoadVec(h + i, units - i)).y;
      StoreVec(hn::Mul(gate, LoadVec(h + units + i, units - i)), y + i, units - i);
    }
  }
}

template <class X, class Y>
void SiluGateAgain(const float* dy, const X* h, Y* y, Y* dh, std::int64_t rows,
                   std::int64_t units) {
  for (std::int64_t r = 0; r < rows;
       ++r, dy += units, h += 2 * units, y += units, dh += 2 * units) {
    for (std::int64_t i = 0; i < units; i += Lanes()) {
      const std::int64_t left = units - i;
      const Value gate = Silu::Both(LoadVec(h + i, left));
      const FloatVec value = LoadVec(h + units + i, left), d = LoadVec(dy + i, left);
      StoreVec(hn::Mul(gate.y, value), y + i, left);
      StoreVec(hn::Mul(hn::Mul(d, value), gate.slope), dh + i, left);
      StoreVec(hn::Mul(d, gate.y), dh + units + i, left);
    }
  }
}

template <class T>
void SiluGateGradient(const T* dy, const T* h, T* dh, std::int64_t rows, std::int64_t units,
                      bool accumulate) {
  for (std::int64_t r = 0; r < rows; ++r, dy += units, h += 2 * units, dh += 2 * units) {
    for (std::int64_t i = 0; i < units; i += Lanes()) {
      const std::int64_t left = units - i;
      const Value gate = Silu::Both(LoadVec(h + i, left));
      const FloatVec value = LoadVec(h + units + i, left), d = LoadVec(dy + i, left);
      PutVec(hn::Mul(hn::Mul(d, value), gate.slope), dh + i, left, accumulate);
      PutVec(hn::Mul(d, gate.y), dh + units + i, left, accumulate);
    }
  }
}

// f(typed pointer) by the dtype of the memory.
template <class F>
void WithSpan(const Span& span, F&& f) {
  if (span.dtype == DType::kFloat32) {
    f(static_cast<float*>(span.data));
  } else {
    f(static_cast<bfloat16*>(span.data));
  }
}

void SiluGateSpan(const Span& h, const Span& y, std::int64_t rows, std::int64_t units) {
  WithSpan(
      h, [&](const auto* in) { WithSpan(y, [&](auto* out) { SiluGate(in, out, rows, units); }); });
}

void SiluGateAgainSpan(const float* dy, const Span& h, const Span& y, const Span& dh,
                       std::int64_t rows, std::int64_t units) {
  WithSpan(h, [&](const auto* in) {
    WithSpan(y, [&]<class Y>(Y* out) {
      SiluGateAgain(dy, in, out, static_cast<Y*>(dh.data), rows, units);
    });
  });
}

void SiluGateGradientSpan(const Span& dy, const Span& h, const Span& dh, std::int64_t rows,
                          std::int64_t units, bool accumulate) {
  WithSpan(h, [&]<class T>(const T* in) {
    SiluGateGradient(static_cast<const T*>(dy.data), in, static_cast<T*>(dh.data), rows, units,
                     accumulate);
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edt {
namespace {

constexpr std::int64_t kGrain = 8192;

Span span_of(const Tensor& tensor) {
  with_float_type(tensor.dtype, [](auto) {});
  return {tensor.data, tensor.dtype};
}

HWY_EXPORT(ActivateSpan);
HWY_EXPORT(GradientSpan);
HWY_EXPORT(GeluAgainSpan);
HWY_EXPORT(SiluGateSpan);
HWY_EXPORT(SiluGateAgainSpan);
HWY_EXPORT(SiluGateGradientSpan);

}  // namespace

void activate(Activation kind, Span x, Span y, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(ActivateSpan)(kind, x, y, n);
}

void activation_gradient(Activation kind, Span dy, Span x, Span dx, std::int64_t n,
                         bool accumulate) {
  HWY_DYNAMIC_DISPATCH(GradientSpan)(kind, dy, x, dx, n, accumulate);
}

void gelu_again(const float* dy, Span x, Span y, Span dx, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(GeluAgainSpan)(dy, x, y, dx, n);
}

void silu_gate(Span h, Span y, std::int64_t rows, std::int64_t units) {
  HWY_DYNAMIC_DISPATCH(SiluGateSpan)(h, y, rows, units);
}

void silu_gate_again(const float* dy, Span h, Span y, Span dh, std::int64_t rows,
                     std::int64_t units) {
  HWY_DYNAMIC_DISPATCH(SiluGateAgainSpan)(dy, h, y, dh, rows, units);
}

void CpuBackend::activation_forward(Activation kind, T x, T y) {
  const Span from = span_of(x), to = span_of(y);
  parallel_ranges(x.elements(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    activate(kind, from.from(begin), to.from(begin), end - begin);
  });
}

void CpuBackend::activation_backward(Activation kind, T dy, T x, G dx) {
  if (!dx.wanted()) return;
  const Span d = span_of(dy), in = span_of(x), out = span_of(dx.tensor);
  parallel_ranges(x.elements(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    activation_gradient(kind, d.from(begin), in.from(begin), out.from(begin), end - begin,
                        dx.accumulate);
  });
}

void CpuBackend::silu_gate_forward(T h, T y) {
  const std::int64_t units = y.shape[1];
  const Span from = span_of(h), to = span_of(y);
  parallel_ranges(y.shape[0], std::max<std::int64_t>(1, kGrain / units),
                  [&](std::int64_t begin, std::int64_t end) {
                    silu_gate(from.from(2 * begin * units), to.from(begin * units), end - begin,
                              units);
                  });
}

void CpuBackend::silu_gate_backward(T dy, T h, G dh) {
  if (!dh.wanted()) return;
  const std::int64_t units = dy.shape[1];
  const Span d = span_of(dy), in = span_of(h), out = span_of(dh.tensor);
  parallel_ranges(dy.shape[0], std::max<std::int64_t>(1, kGrain / units),
                  [&](std::int64_t begin, std::int64_t end) {
                    const std::int64_t at = begin * units;
                    HWY_DYNAMIC_DISPATCH(SiluGateGradientSpan)
                    (d.from(at), in.from(2 * at), out.from(2 * at), end - begin, units,
                     dh.accumulate);
                  });
}

void CpuBackend::add_forward(T a, T b, T y) {
  const Span left = span_of(a), right = span_of(b), to = span_of(y);
  parallel_ranges(y.elements(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    add(left.from(begin), right.from(begin), to.from(begin), end - begin);
  });
}

}  // namespace edt
#endif
