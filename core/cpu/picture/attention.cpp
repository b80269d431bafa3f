// softmax(q k^T) v for bands of queries: the scores of a band stay in cache between the two
// products.
#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/picture/attention.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

// p = softmax(scale * s); p may be s.
template <class P>
void SoftmaxRow(float* s, std::int64_t n, float scale, P* p) {
  FloatVec most = Set(-3.4e38f);
  std::int64_t i = 0;
  for (; i + Lanes() <= n; i += Lanes()) most = hn::Max(most, LoadVec(s + i));
  float top = hn::GetLane(hn::MaxOfLanes(FloatTag(), most));
  for (; i < n; ++i) top = s[i] > top ? s[i] : top;
  FloatVec sum = Zero();
  float rest = 0;
  const FloatVec shift = Set(-top * scale), factor = Set(scale);
  for (i = 0; i < n; i += Lanes()) {
    const FloatVec e = Exp(hn::MulAdd(LoadVec(s + i, n - i), factor, shift));
    StoreVec(e, s + i, n - i);
    if (n - i >= Lanes()) sum = hn::Add(sum, e);
  }
  for (i = n / Lanes() * Lanes(); i < n; ++i) rest += s[i];
  const FloatVec part = Set(1.f / (Sum(sum) + rest));
  for (i = 0; i < n; i += Lanes()) {
    StoreVec(hn::Mul(LoadVec(s + i, n - i), part), p + i, n - i);
  }
}

void SoftmaxRows(float* s, std::int64_t rows, std::int64_t n, float scale, const Span& p) {
  for (std::int64_t r = 0; r < rows; ++r) {
    if (p.dtype == DType::kFloat32) {
      SoftmaxRow(s + r * n, n, scale, static_cast<float*>(p.data) + r * n);
    } else {
      SoftmaxRow(s + r * n, n, scale, static_cast<bfloat16*>(p.data) + r * n);
    }
  }
}

// sums [size, size + 1 and room]: of f(k)_i v_j over the tokens, and of f(k)_i behind them.
template <class T>
void AddKeys(const T* k, const T* v, std::int64_t size, std::int64_t stride, float* sums) {
  for (std::int64_t i = 0; i < size; ++i) {
    const float key = static_cast<float>(k[i]);
    if (!(key > 0)) continue;
    float* row = sums + i * stride;
    for (std::int64_t j = 0; j < size; j += Lanes()) {
      const FloatVec value = LoadVec(v + j, size - j);
      StoreVec(hn::MulAdd(Set(key), value, LoadVec(row + j, size - j)), row + j, size - j);
    }
    row[size] += key;
  }
}

template <class T>
void Query(const T* q, const float* sums, std::int64_t size, std::int64_t stride, float epsilon,
           float* out, T* y) {
  float below = epsilon;
  for (std::int64_t j = 0; j < size; ++j) out[j] = 0;
  for (std::int64_t i = 0; i < size; ++i) {
    const float query = static_cast<float>(q[i]);
    if (!(query > 0)) continue;
    const float* row = sums + i * stride;
    for (std::int64_t j = 0; j < size; j += Lanes()) {
      StoreVec(hn::MulAdd(Set(query), LoadVec(row + j, size - j), LoadVec(out + j, size - j)),
               out + j, size - j);
    }
    below += query * row[size];
  }
  const FloatVec part = Set(1.f / below);
  for (std::int64_t j = 0; j < size; j += Lanes()) {
    StoreVec(hn::Mul(LoadVec(out + j, size - j), part), y + j, size - j);
  }
}

// One head of one picture; `sums` has size * (size + 1) + size floats.
template <class T>
void LinearHead(const T* qkv, std::int64_t tokens, std::int64_t width, std::int64_t size,
                float epsilon, float* sums, T* y) {
  const std::int64_t stride = size + 1;
  for (std::int64_t i = 0; i < size * stride; ++i) sums[i] = 0;
  for (std::int64_t t = 0; t < tokens; ++t) {
    const T* head = qkv + t * width;
    AddKeys(head + size, head + 2 * size, size, stride, sums);
  }
  for (std::int64_t t = 0; t < tokens; ++t) {
    Query(qkv + t * width, sums, size, stride, epsilon, sums + size * stride, y + t * (width / 3));
  }
}

void LinearHeads(DType dtype, const void* qkv, std::int64_t tokens, std::int64_t width,
                 std::int64_t size, float epsilon, float* sums, void* y) {
  if (dtype == DType::kFloat32) {
    LinearHead(static_cast<const float*>(qkv), tokens, width, size, epsilon, sums,
               static_cast<float*>(y));
  } else {
    LinearHead(static_cast<const bfloat16*>(qkv), tokens, width, size, epsilon, sums,
               static_cast<bfloat16*>(y));
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edt {
namespace {
HWY_EXPORT(SoftmaxRows);
HWY_EXPORT(LinearHeads);

constexpr std::int64_t kScores = 1 << 19;  // of a band: 2 MiB

Matrix sample_of(const Tensor& t, std::int64_t n) {
  return {Span{t.data, t.dtype}.from(n * t.shape[1] * t.shape[2]), t.shape[1], t.shape[2]};
}

}  // namespace

void CpuBackend::wide_attention(T q, T k, T v, T y) {
  const std::int64_t tokens = q.shape[1], width = q.shape[2];
  const std::int64_t band =
      std::clamp<std::int64_t>(kScores / tokens, 32, tokens < 32 ? 32 : tokens);
  const float scale = 1.f / std::sqrt(static_cast<float>(width));
  for (std::int64_t n = 0; n < q.shape[0]; ++n) {
    const Matrix queries = matmul_.operand(sample_of(q, n), Slot::kConvertedX);
    const Matrix keys = matmul_.operand(sample_of(k, n), Slot::kConvertedW);
    const Matrix values = matmul_.operand(sample_of(v, n), Slot::kConvertedW2);
    const DType type = queries.span.dtype;
    for (std::int64_t first = 0; first < tokens; first += band) {
      const std::int64_t rows = std::min(band, tokens - first);
      const Matrix scores({scratch_.floats(Slot::kAttention, band * tokens), DType::kFloat32}, rows,
                          tokens);
      matmul_.multiply(queries.slice(first, first + rows), keys.t(), scores, false);
      Matrix weights = scores;
      if (type == DType::kBFloat16) {
        weights.span = {scratch_.floats(Slot::kHidden, (band * tokens + 1) / 2), type};
      }
      parallel_ranges(rows, 1, [&](std::int64_t begin, std::int64_t end) {
        HWY_DYNAMIC_DISPATCH(SoftmaxRows)
        (static_cast<float*>(scores.span.from(begin * tokens).data), end - begin, tokens, scale,
         weights.span.from(begin * tokens));
      });
      multiply_into(weights, values, sample_of(y, n).slice(first, first + rows), false);
    }
  }
}

void CpuBackend::relu_linear_attention(T qkv, std::int64_t size, double epsilon, T y) {
  with_float_type(qkv.dtype, [](auto) {});
  const std::int64_t tokens = qkv.shape[1], width = qkv.shape[2], heads = width / (3 * size);
  const std::int64_t tasks = qkv.shape[0] * heads, room = size * (size + 2);
  const Span from{qkv.data, qkv.dtype}, to{y.data, y.dtype};
  float* sums = scratch_.floats(Slot::kPartials, tasks * room);
  parallel_ranges(tasks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t n = i / heads, h = i % heads;
      HWY_DYNAMIC_DISPATCH(LinearHeads)
      (qkv.dtype, from.from(n * tokens * width + h * 3 * size).data, tokens, width, size,
       static_cast<float>(epsilon), sums + i * room,
       to.from(n * tokens * (width / 3) + h * size).data);
    }
  });
}

}  // namespace edt
#endif
