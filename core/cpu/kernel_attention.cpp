// A head of a sample has one thread: its rows are copied to float32 side by side, and everything
// else is small products of these, which add up along the tokens in their order.
#include "core/ops/kernel_attention.h"

#include "core/cpu/head_slice.h"
#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/kernel_attention.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

// kRows rows and kVecs vectors of columns of c = a b stay in registers.
template <int kRows, int kVecs>
void ProductTile(const Strided& a, const float* b, std::int64_t b_stride, std::int64_t inner,
                 std::int64_t left, float* c, std::int64_t c_stride) {
  FloatVec sum[kRows][kVecs];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVecs; ++v) sum[r][v] = Zero();
  }
  for (std::int64_t i = 0; i < inner; ++i) {
    FloatVec row[kVecs];
    for (int v = 0; v < kVecs; ++v) {
      row[v] = LoadVec(b + i * b_stride + v * Lanes(), left - v * Lanes());
    }
    for (int r = 0; r < kRows; ++r) {
      const FloatVec factor = Set(a.data[r * a.row + i * a.column]);
      for (int v = 0; v < kVecs; ++v) sum[r][v] = hn::MulAdd(factor, row[v], sum[r][v]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVecs; ++v) {
      StoreVec(sum[r][v], c + r * c_stride + v * Lanes(), left - v * Lanes());
    }
  }
}

template <int kVecs>
void ProductColumns(const Strided& a, const float* b, std::int64_t b_stride, std::int64_t rows,
                    std::int64_t inner, std::int64_t left, float* c, std::int64_t c_stride) {
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    ProductTile<4, kVecs>({a.data + r * a.row, a.row, a.column}, b, b_stride, inner, left,
                          c + r * c_stride, c_stride);
  }
  for (; r < rows; ++r) {
    ProductTile<1, kVecs>({a.data + r * a.row, a.row, a.column}, b, b_stride, inner, left,
                          c + r * c_stride, c_stride);
  }
}

// c [rows, columns] = a b [inner, columns]
void Product(const Strided& a, const float* b, std::int64_t b_stride, std::int64_t rows,
             std::int64_t inner, std::int64_t columns, float* c, std::int64_t c_stride) {
  std::int64_t j = 0;
  for (; j + 2 * Lanes() <= columns; j += 2 * Lanes()) {
    ProductColumns<2>(a, b + j, b_stride, rows, inner, columns - j, c + j, c_stride);
  }
  for (; j < columns; j += Lanes()) {
    ProductColumns<1>(a, b + j, b_stride, rows, inner, columns - j, c + j, c_stride);
  }
}

// to [tokens, stride] = the head's rows, or f of them.
template <class T>
void CopyRows(const T* x, const HeadSlice& head, bool feature, float* to, std::int64_t stride) {
  for (std::int64_t t = 0; t < head.tokens; ++t) {
    for (std::int64_t i = 0; i < head.size; i += Lanes()) {
      FloatVec v = LoadVec(x + t * head.stride + i, head.size - i);
      if (feature) v = hn::IfThenElseZero(hn::Gt(v, Zero()), v);
      StoreVec(v, to + t * stride + i, head.size - i);
    }
  }
}

void CopyRowsOf(const HeadSlice& head, bool feature, float* to, std::int64_t stride) {
  if (head.dtype == DType::kFloat32) {
    CopyRows(static_cast<const float*>(head.data), head, feature, to, stride);
  } else {
    CopyRows(static_cast<const bfloat16*>(head.data), head, feature, to, stride);
  }
}

// The head's rows (+)= from [tokens, stride], where `where` [tokens, size] is positive; nullptr:
// everywhere. With `below`, each row is divided by its column `size` + epsilon.
template <class T>
void PutRows(const float* from, std::int64_t stride, const float* where, bool below,
             const HeadSlice& head, T* to, bool accumulate) {
  for (std::int64_t t = 0; t < head.tokens; ++t) {
    const float* const row = from + t * stride;
    const FloatVec factor =
        Set(below ? 1 / (row[head.size] + static_cast<float>(kKernelAttentionEpsilon)) : 1.0f);
    for (std::int64_t i = 0; i < head.size; i += Lanes()) {
      FloatVec v = hn::Mul(LoadVec(row + i, head.size - i), factor);
      if (where != nullptr) {
        v = hn::IfThenElseZero(hn::Gt(LoadVec(where + t * head.size + i, head.size - i), Zero()),
                               v);
      }
      PutVec(v, to + t * head.stride + i, head.size - i, accumulate);
    }
  }
}

void PutRowsOf(const float* from, std::int64_t stride, const float* where, bool below,
               const HeadSlice& head, bool accumulate) {
  if (head.dtype == DType::kFloat32) {
    PutRows(from, stride, where, below, head, static_cast<float*>(head.data), accumulate);
  } else {
    PutRows(from, stride, where, below, head, static_cast<bfloat16*>(head.data), accumulate);
  }
}

// rows [tokens, size + 1] hold dy and become (dy / m, - dy . y / m); sums [size, size + 1] is the
// state.
void DivideRows(const float* queries, const float* y, const float* sums, std::int64_t tokens,
                std::int64_t size, float* rows) {
  const std::int64_t width = size + 1;
  for (std::int64_t t = 0; t < tokens; ++t) {
    float below = static_cast<float>(kKernelAttentionEpsilon);
    for (std::int64_t i = 0; i < size; ++i) below += queries[t * size + i] * sums[i * width + size];
    float* const row = rows + t * width;
    const FloatVec factor = Set(1 / below);
    FloatVec dot = Zero();
    for (std::int64_t j = 0; j < size; j += Lanes()) {
      const FloatVec v = hn::Mul(LoadVec(row + j, size - j), factor);
      dot = hn::MulAdd(v, LoadVec(y + t * size + j, size - j), dot);
      StoreVec(v, row + j, size - j);
    }
    row[size] = -Sum(dot);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edt {
namespace {
HWY_EXPORT(Product);
HWY_EXPORT(CopyRowsOf);
HWY_EXPORT(PutRowsOf);
HWY_EXPORT(DivideRows);

void product(const Strided& a, const float* b, std::int64_t b_stride, std::int64_t rows,
             std::int64_t inner, std::int64_t columns, float* c, std::int64_t c_stride) {
  HWY_DYNAMIC_DISPATCH(Product)(a, b, b_stride, rows, inner, columns, c, c_stride);
}

void copy_rows(const HeadSlice& head, bool feature, float* to, std::int64_t stride) {
  HWY_DYNAMIC_DISPATCH(CopyRowsOf)(head, feature, to, stride);
}

// (v, 1) of each key.
void copy_values(const HeadSlice& v, float* to) {
  copy_rows(v, false, to, v.size + 1);
  for (std::int64_t t = 0; t < v.tokens; ++t) to[t * (v.size + 1) + v.size] = 1;
}

// [rows, columns] -> [columns, rows]
void transpose(const float* from, std::int64_t rows, std::int64_t columns, float* to) {
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
  }
}

// f(head of the batch, `floats` of working memory) over the threads.
template <class F>
void for_each_head(Scratch& scratch, std::int64_t heads, std::int64_t floats, F f) {
  float* const room = scratch.floats(Slot::kAttention, thread_count() * floats);
  parallel_parts(heads, 1, [&](std::int64_t part, Range r) {
    for (std::int64_t head = r.begin; head < r.end; ++head) f(head, room + part * floats);
  });
}

}  // namespace

void CpuBackend::kernel_attention_forward(T q, T k, T v, T state, T y) {
  const std::int64_t size = q.shape[3], width = size + 1;
  const std::int64_t queries = q.shape[1], keys = k.shape[1];
  const std::int64_t floats = queries * (size + width) + keys * (size + width);
  for_each_head(scratch_, q.shape[0] * q.shape[2], floats, [&](std::int64_t head, float* room) {
    float *key = room, *value = key + keys * size, *query = value + keys * width,
          *out = query + queries * size;
    float* const sums = state.as<float>() + head * size * width;
    copy_rows(HeadSlice(k, head), true, key, size);
    copy_values(HeadSlice(v, head), value);
    product({key, 1, size}, value, width, size, keys, width, sums, width);
    copy_rows(HeadSlice(q, head), true, query, size);
    product({query, size, 1}, sums, width, queries, size, width, out, width);
    HWY_DYNAMIC_DISPATCH(PutRowsOf)(out, width, nullptr, true, HeadSlice(y, head), false);
  });
}

void CpuBackend::kernel_attention_backward(T dy, T q, T k, T v, T state, T y, G dq, G dk, G dv) {
  const std::int64_t size = q.shape[3], width = size + 1;
  const std::int64_t queries = q.shape[1], keys = k.shape[1], longer = std::max(queries, keys);
  const std::int64_t floats =
      2 * size * width + queries * (size + width) + longer * size + keys * (size + width);
  const auto give = [&](G target, std::int64_t head, const float* from, const float* where) {
    if (!target.wanted()) return;
    HWY_DYNAMIC_DISPATCH(PutRowsOf)
    (from, size, where, false, HeadSlice(target.tensor, head), target.accumulate);
  };
  for_each_head(scratch_, q.shape[0] * q.shape[2], floats, [&](std::int64_t head, float* room) {
    float *turned = room, *dsums = turned + size * width, *query = dsums + size * width,
          *drow = query + queries * size, *own = drow + queries * width, *key = own + longer * size,
          *value = key + keys * size;
    const float* const sums = state.as<float>() + head * size * width;
    copy_rows(HeadSlice(q, head), true, query, size);
    copy_rows(HeadSlice(dy, head), false, drow, width);
    copy_rows(HeadSlice(y, head), false, own, size);
    HWY_DYNAMIC_DISPATCH(DivideRows)(query, own, sums, queries, size, drow);
    product({query, 1, size}, drow, width, size, queries, width, dsums, width);
    transpose(sums, size, width, turned);
    product({drow, width, 1}, turned, size, queries, width, size, own, size);
    give(dq, head, own, query);
    copy_rows(HeadSlice(k, head), true, key, size);
    copy_values(HeadSlice(v, head), value);
    transpose(dsums, size, width, turned);
    product({value, width, 1}, turned, size, keys, width, size, own, size);
    give(dk, head, own, key);
    product({key, size, 1}, dsums, width, keys, size, size, own, size);
    give(dv, head, own, nullptr);
  });
}

}  // namespace edt
#endif
