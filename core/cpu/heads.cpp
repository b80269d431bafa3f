// Queries and keys, head by head: a norm, then the rotation of neighbours. A head stays in
// registers or L1 between the steps; its statistics are computed again in backward.
#include "core/ops/heads.h"

#include <cmath>
#include <cstring>

#include "core/cpu/elementwise.h"
#include "core/cpu/head_rows.h"
#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/heads.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

struct Statistics {
  FloatVec mean, inverse_std;
};

// Pairs (a, b) become (a cos - b sin, b cos + a sin) for turns (cos, sin), or are turned back.
template <bool kBack>
HWY_INLINE FloatVec Turn(FloatVec x, FloatVec turns) {
  const FloatTag d;
  const FloatVec crossed = hn::Mul(hn::Reverse2(d, x), hn::DupOdd(turns));
  const FloatVec minus = hn::Neg(crossed);
  const FloatVec add = kBack ? hn::OddEven(minus, crossed) : hn::OddEven(crossed, minus);
  return hn::MulAdd(x, hn::DupEven(turns), add);
}

template <class T>
HWY_INLINE Statistics StatisticsOf(const T* x, std::int64_t n, bool layer) {
  const float width = static_cast<float>(n);
  FloatVec mean = Zero();
  if (layer) {
    FloatVec sum = Zero();
    for (std::int64_t i = 0; i < n; i += Lanes()) sum = hn::Add(sum, LoadVec(x + i, n - i));
    mean = Set(Sum(sum) / width);
  }
  FloatVec squares = Zero();
  for (std::int64_t i = 0; i < n; i += Lanes()) {
    const auto inside = hn::FirstN(FloatTag(), static_cast<std::size_t>(std::min(n - i, Lanes())));
    const FloatVec d = hn::IfThenElseZero(inside, hn::Sub(LoadVec(x + i, n - i), mean));
    squares = hn::MulAdd(d, d, squares);
  }
  const double epsilon = layer ? kHeadLayerEpsilon : kHeadRmsEpsilon;
  return {mean, Set(1.0f / std::sqrt(Sum(squares) / width + static_cast<float>(epsilon)))};
}

template <class T>
void ForwardHead(const HeadRows& h, std::int64_t which, const float* turn, const T* x, T* y) {
  const std::int64_t n = h.size;
  const float *weight = h.weight(which), *bias = h.bias(which);
  Statistics s{Zero(), Zero()};
  if (weight != nullptr) s = StatisticsOf(x, n, h.layer);
  for (std::int64_t i = 0; i < n; i += Lanes()) {
    const std::int64_t left = n - i;
    FloatVec v = LoadVec(x + i, left);
    if (weight != nullptr) {
      v = hn::Mul(hn::Mul(hn::Sub(v, s.mean), s.inverse_std), LoadVec(weight + i, left));
    }
    if (bias != nullptr) v = hn::Add(v, LoadVec(bias + i, left));
    if (turn != nullptr) v = Turn<false>(v, LoadVec(turn + i, left));
    StoreVec(v, y + i, left);
  }
}

// The gradient before the rotation.
template <class T>
HWY_INLINE FloatVec TurnedBack(const T* dy, const float* turn, std::int64_t i, std::int64_t left) {
  const FloatVec d = LoadVec(dy + i, left);
  return turn == nullptr ? d : Turn<true>(d, LoadVec(turn + i, left));
}

// Of a head with a norm; adds to the gradients of its parameters.
template <class T>
void BackwardNorm(const HeadRows& h, std::int64_t which, const float* turn, const T* dy, const T* x,
                  T* dx, bool accumulate, float* dnorms) {
  const std::int64_t n = h.size;
  const float* weight = h.weight(which);
  float* dweight = dnorms + which * n;
  float* dbias = h.layer ? dnorms + (2 + which) * n : nullptr;
  const Statistics s = StatisticsOf(x, n, h.layer);
  FloatVec sum_g = Zero(), sum_gn = Zero();
  for (std::int64_t i = 0; i < n; i += Lanes()) {
    const std::int64_t left = n - i;
    const FloatVec dz = TurnedBack(dy, turn, i, left);
    const FloatVec norm = hn::Mul(hn::Sub(LoadVec(x + i, left), s.mean), s.inverse_std);
    const FloatVec g = hn::Mul(dz, LoadVec(weight + i, left));
    sum_g = hn::Add(sum_g, g);
    sum_gn = hn::MulAdd(g, norm, sum_gn);
    PutVec(hn::Mul(dz, norm), dweight + i, left, true);
    if (dbias != nullptr) PutVec(dz, dbias + i, left, true);
  }
  const float width = static_cast<float>(n);
  const FloatVec mean_g = Set(h.layer ? Sum(sum_g) / width : 0.0f);
  const FloatVec mean_gn = Set(Sum(sum_gn) / width);
  for (std::int64_t i = 0; i < n; i += Lanes()) {
    const std::int64_t left = n - i;
    const FloatVec norm = hn::Mul(hn::Sub(LoadVec(x + i, left), s.mean), s.inverse_std);
    const FloatVec g = hn::Mul(TurnedBack(dy, turn, i, left), LoadVec(weight + i, left));
    const FloatVec centred = hn::NegMulAdd(norm, mean_gn, hn::Sub(g, mean_g));
    PutVec(hn::Mul(centred, s.inverse_std), dx + i, left, accumulate);
  }
}

template <class T>
void PutTurned(const HeadRows& h, const float* turn, const T* dy, T* dx, bool accumulate) {
  for (std::int64_t i = 0; i < h.size; i += Lanes()) {
    PutVec(TurnedBack(dy, turn, i, h.size - i), dx + i, h.size - i, accumulate);
  }
}

template <class T>
void ForwardTokens(const HeadRows& h, const T* qkv, T* y, std::int64_t begin, std::int64_t end) {
  const std::int64_t width = h.heads * h.size;
  for (std::int64_t token = begin; token < end; ++token) {
    const float* turn = h.turn(token);
    for (std::int64_t which = 0; which < 2; ++which) {
      for (std::int64_t head = 0; head < h.heads; ++head) {
        const std::int64_t at = (3 * token + which) * width + head * h.size;
        ForwardHead(h, which, turn, qkv + at, y + at);
      }
    }
    const std::int64_t values = (3 * token + 2) * width;
    std::memcpy(static_cast<void*>(y + values), qkv + values,
                static_cast<std::size_t>(width) * sizeof(T));
  }
}

template <class T>
void BackwardTokens(const HeadRows& h, const T* dy, const T* qkv, T* dqkv, bool accumulate,
                    float* dnorms, std::int64_t begin, std::int64_t end) {
  const std::int64_t width = h.heads * h.size;
  for (std::int64_t token = begin; token < end; ++token) {
    for (std::int64_t which = 0; which < 3; ++which) {
      const float* turn = which == 2 ? nullptr : h.turn(token);
      for (std::int64_t head = 0; head < h.heads; ++head) {
        const std::int64_t at = (3 * token + which) * width + head * h.size;
        if (which == 2 || h.norms == nullptr) {
          PutTurned(h, turn, dy + at, dqkv + at, accumulate);
        } else {
          BackwardNorm(h, which, turn, dy + at, qkv + at, dqkv + at, accumulate, dnorms);
        }
      }
    }
  }
}

void Forward(DType dtype, const HeadRows& h, const void* qkv, void* y, std::int64_t begin,
             std::int64_t end) {
  if (dtype == DType::kFloat32) {
    ForwardTokens(h, static_cast<const float*>(qkv), static_cast<float*>(y), begin, end);
  } else {
    ForwardTokens(h, static_cast<const bfloat16*>(qkv), static_cast<bfloat16*>(y), begin, end);
  }
}

void Backward(DType dtype, const HeadRows& h, const void* dy, const void* qkv,
              const GradTarget& dqkv, float* dnorms, std::int64_t begin, std::int64_t end) {
  if (dtype == DType::kFloat32) {
    BackwardTokens(h, static_cast<const float*>(dy), static_cast<const float*>(qkv),
                   static_cast<float*>(dqkv.tensor.data), dqkv.accumulate, dnorms, begin, end);
  } else {
    BackwardTokens(h, static_cast<const bfloat16*>(dy), static_cast<const bfloat16*>(qkv),
                   static_cast<bfloat16*>(dqkv.tensor.data), dqkv.accumulate, dnorms, begin, end);
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

constexpr std::int64_t kTokenGrain = 8;

HeadRows rows_of(const Tensor& qkv, const Tensor& norms, const Tensor& rotation) {
  with_float_type(qkv.dtype, [](auto) {});
  return {.places = rotation.defined() ? rotation.elements() / qkv.shape[4] : qkv.shape[1],
          .heads = qkv.shape[3],
          .size = qkv.shape[4],
          .norms = norms.defined() ? norms.as<float>() : nullptr,
          .rotation = rotation.defined() ? rotation.as<float>() : nullptr,
          .layer = norms.defined() && norms.shape[0] == 4};
}

}  // namespace

void CpuBackend::head_transform_forward(T qkv, T norms, T rotation, T y) {
  const HeadRows rows = rows_of(qkv, norms, rotation);
  const std::int64_t tokens = qkv.shape[0] * qkv.shape[1];
  parallel_ranges(tokens, kTokenGrain, [&](std::int64_t begin, auto end) {
    HWY_DYNAMIC_DISPATCH(Forward)(qkv.dtype, rows, qkv.data, y.data, begin, end);
  });
}

void CpuBackend::head_transform_backward(T dy, T qkv, T norms, T rotation, G dqkv, T dnorms) {
  const HeadRows rows = rows_of(dy, norms, rotation);
  const std::int64_t count = norms.defined() ? norms.elements() : 0, parts = thread_count();
  float* partials = scratch_.floats(Slot::kPartials, parts * count);
  edt::fill({partials}, parts * count, 0.0f);
  parallel_parts(dy.shape[0] * dy.shape[1], kTokenGrain, [&](std::int64_t part, Range r) {
    HWY_DYNAMIC_DISPATCH(Backward)
    (dy.dtype, rows, dy.data, qkv.data, dqkv, partials + part * count, r.begin, r.end);
  });
  for (std::int64_t part = 0; part < parts && count > 0; ++part) {
    convert({partials + part * count}, {dnorms.data}, count, true);
  }
}

}  // namespace edt
#endif
