// The MLP in chunks of rows: the activation of a chunk lives in cache only, between the two
// products of forward, and again, recomputed together with its derivative, between the products of
// backward.
#include "core/cpu/activation_kernels.h"
#include "core/cpu/chunks.h"
#include "core/cpu/column_sums.h"
#include "core/cpu/kernels.h"

namespace edt {
namespace {

// Memory of a [rows, columns] operand in `dtype`.
Matrix scratch_matrix(Scratch& scratch, Slot slot, std::int64_t rows, std::int64_t columns,
                      DType dtype) {
  return {{scratch.floats(slot, rows * columns), dtype}, rows, columns};
}

// What lies between the two products. h [rows, units * kColumnsPerUnit], y [rows, units].
struct Gelu {
  static constexpr std::int64_t kColumnsPerUnit = 1;
  // dh may be the memory of dy.
  static constexpr bool kInPlace = true;

  static void value(Span h, Span y, std::int64_t rows, std::int64_t units) {
    activate(Activation::kGeluTanh, h, y, rows * units);
  }
  static void again(const float* dy, Span h, Span y, Span dh, std::int64_t rows,
                    std::int64_t units) {
    gelu_again(dy, h, y, dh, rows * units);
  }
};

struct Swiglu {
  static constexpr std::int64_t kColumnsPerUnit = 2;
  static constexpr bool kInPlace = false;

  static void value(Span h, Span y, std::int64_t rows, std::int64_t units) {
    silu_gate(h, y, rows, units);
  }
  static void again(const float* dy, Span h, Span y, Span dh, std::int64_t rows,
                    std::int64_t units) {
    silu_gate_again(dy, h, y, dh, rows, units);
  }
};

}  // namespace

template <class Form>
void CpuBackend::feed_forward(T x, const MlpWeights& weights, T hidden, T kept, T y) {
  const std::int64_t width = weights.fc1.shape[0], units = width / Form::kColumnsPerUnit;
  const DType operand = matmul_.operand_dtype(x.dtype);
  const Weight fc1 = weight_for(weights.fc1, x.shape[0], Slot::kConvertedW);
  const Weight fc2 = weight_for(weights.fc2, x.shape[0], Slot::kConvertedW2);
  for_each_chunk(x.shape[0], width, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t rows = end - begin;
    const bool in_place = hidden.defined() && hidden.dtype == DType::kFloat32;
    const Matrix h = in_place
                         ? Matrix(hidden).slice(begin, end)
                         : scratch_matrix(scratch_, Slot::kHidden, rows, width, DType::kFloat32);
    const Matrix activated = scratch_matrix(scratch_, Slot::kActivated, rows, units, operand);
    linear_chunk(matmul_.operand(Matrix(x).slice(begin, end), Slot::kConvertedX), fc1,
                 weights.fc1_bias, {}, h, begin);
    if (hidden.defined()) finish_chunk(h, Matrix(hidden).slice(begin, end), false);
    parallel_ranges(
        rows, std::max<std::int64_t>(1, 8192 / width), [&](std::int64_t from, std::int64_t to) {
          Form::value(h.span.from(from * width), activated.span.from(from * units), to - from,
                      units);
          if (!kept.defined()) return;
          convert(activated.span.from(from * units), Matrix(kept).span.from((begin + from) * units),
                  (to - from) * units, false);
        });
    linear_chunk(activated, fc2, weights.fc2_bias, {}, Matrix(y).slice(begin, end), begin);
  });
}

template <class Form>
Matrix CpuBackend::activation_backward_chunk(const Matrix& dactivated, const Matrix& hidden,
                                             const Matrix& activated, G dbias, bool first) {
  const std::int64_t width = hidden.columns, units = activated.columns, parts = thread_count();
  const DType operand = activated.span.dtype;
  const Matrix dhidden =
      Form::kInPlace && operand == DType::kFloat32
          ? dactivated
          : scratch_matrix(scratch_, Slot::kConvertedHidden, hidden.rows, width, operand);
  float* partials = scratch_.floats(Slot::kPartials, parts * width);
  edt::fill({partials}, parts * width, 0.0f);
  parallel_parts(hidden.rows, 8, [&](std::int64_t part, Range r) {
    constexpr std::int64_t kBlock = 8;  // rows that stay in L1 between the two loops
    for (std::int64_t row = r.begin; row < r.end; row += kBlock) {
      const std::int64_t rows = std::min(kBlock, r.end - row), at = row * width;
      Form::again(static_cast<const float*>(dactivated.span.data) + row * units,
                  hidden.span.from(at), activated.span.from(row * units), dhidden.span.from(at),
                  rows, units);
      add_column_sums(dhidden.span.from(at), rows, width, width, partials + part * width);
    }
  });
  for (std::int64_t part = 0; part < parts; ++part) {
    convert({partials + part * width}, {dbias.tensor.data}, width,
            dbias.accumulate || !first || part > 0);
  }
  return dhidden;
}

template <class Form>
void CpuBackend::feed_forward_backward(T dy, T x, T hidden, const MlpWeights& weights, G dx,
                                       const MlpGrads& grads) {
  const std::int64_t width = weights.fc1.shape[0], units = width / Form::kColumnsPerUnit;
  const DType operand = matmul_.operand_dtype(x.dtype);
  const Matrix fc1 = matmul_.operand(weights.fc1, Slot::kConvertedW);
  const Matrix fc2 = matmul_.operand(weights.fc2, Slot::kConvertedW2);
  for_each_chunk(x.shape[0], width, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t rows = end - begin;
    const bool first = begin == 0;
    const Matrix dy_rows = Matrix(dy).slice(begin, end);
    if (grads.fc2_bias.wanted()) {
      column_sums(scratch_, dy_rows, grads.fc2_bias.tensor.as<float>(),
                  grads.fc2_bias.accumulate || !first);
    }
    const Matrix d = matmul_.operand(dy_rows, Slot::kConvertedDy);
    const Matrix in = matmul_.operand(Matrix(x).slice(begin, end), Slot::kConvertedX);
    const Matrix activated = scratch_matrix(scratch_, Slot::kActivated, rows, units, operand);
    const Matrix dactivated = scratch_matrix(scratch_, Slot::kHidden, rows, units, DType::kFloat32);
    matmul_.multiply(d, fc2, dactivated, false);
    const Matrix dhidden = activation_backward_chunk<Form>(
        dactivated, Matrix(hidden).slice(begin, end), activated, grads.fc1_bias, first);
    matmul_.multiply(d.t(), activated, grads.fc2.tensor, grads.fc2.accumulate || !first);
    matmul_.multiply(dhidden.t(), in, grads.fc1.tensor, grads.fc1.accumulate || !first);
    if (dx.wanted()) {
      multiply_into(dhidden, fc1, Matrix(dx.tensor).slice(begin, end), dx.accumulate);
    }
  });
}

void CpuBackend::mlp_forward(T x, const MlpWeights& weights, const MlpHidden& hidden, T y) {
  if (is_int8(weights, hidden.before)) return int8_->feed_forward(x, weights, false, y);
  feed_forward<Gelu>(x, weights, hidden.before, hidden.after, y);
}

// The kept activation is left alone: it comes with its slope, which is needed all the same.
void CpuBackend::mlp_backward(T dy, T x, const MlpHidden& hidden, const MlpWeights& weights, G dx,
                              const MlpGrads& grads) {
  feed_forward_backward<Gelu>(dy, x, hidden.before, weights, dx, grads);
}

void CpuBackend::swiglu_forward(T x, const MlpWeights& weights, T hidden, T y) {
  if (is_int8(weights, hidden)) return int8_->feed_forward(x, weights, true, y);
  feed_forward<Swiglu>(x, weights, hidden, {}, y);
}

void CpuBackend::swiglu_backward(T dy, T x, T hidden, const MlpWeights& weights, G dx,
                                 const MlpGrads& grads) {
  feed_forward_backward<Swiglu>(dy, x, hidden, weights, dx, grads);
}

}  // namespace edt
