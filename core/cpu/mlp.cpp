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
  // y may be the memory of h, dh that of dy.
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
  for_each_own_chunk(x.shape[0], width, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t rows = end - begin;
    const bool in_place = hidden.defined() && hidden.dtype == DType::kFloat32;
    const Matrix h = in_place
                         ? Matrix(hidden).slice(begin, end)
                         : scratch_matrix(scratch_, Slot::kHidden, rows, width, DType::kFloat32);
    const bool over_h = Form::kInPlace && !hidden.defined() && operand == DType::kFloat32;
    const Matrix activated =
        over_h ? h : scratch_matrix(scratch_, Slot::kActivated, rows, units, operand);
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

// dhidden, activated, and what is added to dbias by threads from `thread` on.
template <class Form>
void backward_between(const Matrix& dactivated, const Matrix& hidden, const Matrix& activated,
                      const Matrix& dhidden, const ColumnSums& dbias, std::int64_t thread) {
  const std::int64_t width = hidden.columns, units = activated.columns;
  parallel_parts(hidden.rows, 8, [&](std::int64_t i, Range r) {
    constexpr std::int64_t kBlock = 8;  // rows that stay in L1 between the two loops
    for (std::int64_t row = r.begin; row < r.end; row += kBlock) {
      const std::int64_t rows = std::min(kBlock, r.end - row), at = row * width;
      Form::again(static_cast<const float*>(dactivated.span.data) + row * units,
                  hidden.span.from(at), activated.span.from(row * units), dhidden.span.from(at),
                  rows, units);
      add_column_sums(dhidden.span.from(at), rows, width, width, dbias.of(thread + i));
    }
  });
}

// A chunk's rows go through all that is by row, then both weights' gradients take all of them.
template <class Form>
void CpuBackend::feed_forward_backward(T dy, T x, T hidden, const MlpWeights& weights, G dx,
                                       const MlpGrads& grads) {
  const std::int64_t width = weights.fc1.shape[0], units = width / Form::kColumnsPerUnit;
  const DType operand = matmul_.operand_dtype(x.dtype);
  const Matrix fc1 = matmul_.operand(weights.fc1, Slot::kConvertedW);
  const Matrix fc2 = matmul_.operand(weights.fc2, Slot::kConvertedW2);
  const ColumnSums dfc1_bias(scratch_, Slot::kPartials, width);
  const ColumnSums dfc2_bias(scratch_, Slot::kPartials2, dy.shape[1]);
  const OwnRows own_rows(x.shape[0]);
  const auto chunk = [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t rows = end - begin;
    const Matrix d = matmul_.operand(Matrix(dy).slice(begin, end), Slot::kConvertedDy);
    const Matrix in = matmul_.operand(Matrix(x).slice(begin, end), Slot::kConvertedX);
    const Matrix activated = scratch_matrix(scratch_, Slot::kActivated, rows, units, operand);
    const Matrix dactivated = scratch_matrix(scratch_, Slot::kHidden, rows, units, DType::kFloat32);
    const Matrix dhidden =
        Form::kInPlace && operand == DType::kFloat32
            ? dactivated
            : scratch_matrix(scratch_, Slot::kConvertedHidden, rows, width, operand);
    own_rows.for_each_thread(rows, [&](std::int64_t thread, Range own) {
      const auto mine = [&](const Matrix& m) { return m.slice(own.begin, own.end); };
      const auto of_batch = [&](T t) { return mine(Matrix(t).slice(begin, end)); };
      if (grads.fc2_bias.wanted()) dfc2_bias.add(of_batch(dy), thread);
      matmul_.multiply(mine(d), fc2, mine(dactivated), false);
      backward_between<Form>(mine(dactivated), of_batch(hidden), mine(activated), mine(dhidden),
                             dfc1_bias, thread);
      if (dx.wanted()) multiply_into(mine(dhidden), fc1, of_batch(dx.tensor), dx.accumulate);
    });
    matmul_.multiply(d.t(), activated, grads.fc2.tensor, grads.fc2.accumulate || begin > 0);
    matmul_.multiply(dhidden.t(), in, grads.fc1.tensor, grads.fc1.accumulate || begin > 0);
  };
  for_each_chunk({0, x.shape[0]}, width, chunk, thread_count());
  dfc1_bias.put(grads.fc1_bias.tensor.as<float>(), grads.fc1_bias.accumulate);
  if (grads.fc2_bias.wanted()) {
    dfc2_bias.put(grads.fc2_bias.tensor.as<float>(), grads.fc2_bias.accumulate);
  }
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
