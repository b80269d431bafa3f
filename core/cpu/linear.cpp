// y = x W^T + b: rows of the result start as bias and positions, and the product adds to them while
// they are in cache. bf16 results are rounded from a float32 chunk.
#include "core/cpu/chunks.h"
#include "core/cpu/column_sums.h"
#include "core/cpu/kernels.h"

namespace edt {
namespace {

// Row m of y [rows, n] = bias + positions[(first + m) mod T].
void start_rows(const Tensor& bias, const Tensor& positions, const Matrix& y, std::int64_t first) {
  const std::int64_t n = y.columns;
  parallel_ranges(y.rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t m = begin; m < end; ++m) {
      const Span row = y.span.from(m * n);
      if (bias.defined()) convert({bias.data, bias.dtype}, row, n);
      if (!positions.defined()) continue;
      const std::int64_t at = (first + m) % positions.shape[0] * n;
      convert(Span{positions.data, positions.dtype}.from(at), row, n, bias.defined());
    }
  });
}

}  // namespace

Matrix CpuBackend::result_chunk(const Matrix& y) {
  if (y.span.dtype == DType::kFloat32) return y;
  return {{scratch_.floats(Slot::kResult, y.rows * y.columns), DType::kFloat32}, y.rows, y.columns};
}

void CpuBackend::finish_chunk(const Matrix& result, const Matrix& y, bool accumulate) {
  if (y.span.dtype == DType::kFloat32) return;
  parallel_ranges(y.rows * y.columns, 16384, [&](std::int64_t begin, std::int64_t end) {
    convert(result.span.from(begin), y.span.from(begin), end - begin, accumulate);
  });
}

void CpuBackend::multiply_into(const Matrix& a, const Matrix& b, const Matrix& y, bool accumulate) {
  const Matrix result = result_chunk(y);
  matmul_.multiply(a, b, result, accumulate && y.span.dtype == DType::kFloat32);
  finish_chunk(result, y, accumulate);
}

void CpuBackend::linear_chunk(const Matrix& x, const Weight& weight, T bias, T positions,
                              const Matrix& y, std::int64_t first) {
  const Matrix result = result_chunk(y);
  const bool started = bias.defined() || positions.defined();
  if (started) start_rows(bias, positions, result, first);
  if (weight.packed != nullptr) {
    weight.packed->multiply(x, result, started, scratch_);
  } else {
    matmul_.multiply(x, weight.dense.t(), result, started);
  }
  finish_chunk(result, y, false);
}

WeightHold CpuBackend::quantize(T weight) {
  if (!int8_) int8_ = std::make_unique<Int8Products>(scratch_);
  return int8_->add(weight);
}

WeightHold CpuBackend::pack_ternary(T weight) { return packed_.add(weight); }

CpuBackend::Weight CpuBackend::weight_for(T weight, std::int64_t rows, Slot slot) {
  auto packed = rows <= PackedTernary::kMostRows ? packed_.find(weight) : nullptr;
  if (packed) return {std::move(packed), {}};
  return {nullptr, matmul_.operand(weight, slot)};
}

void CpuBackend::linear_forward(T x, T weight, T bias, T positions, T y) {
  if (const auto integers = int8_weight(weight); integers && !positions.defined()) {
    return int8_->linear({x}, *integers, bias, y);
  }
  const Weight w = weight_for(weight, x.shape[0], Slot::kConvertedW);
  for_each_own_chunk(x.shape[0], y.shape[1], [&](std::int64_t begin, std::int64_t end) {
    const Matrix rows = matmul_.operand(Matrix(x).slice(begin, end), Slot::kConvertedX);
    linear_chunk(rows, w, bias, positions, Matrix(y).slice(begin, end), begin);
  });
}

void CpuBackend::linear_backward_input(T dy, T weight, G dx) {
  const Matrix w = matmul_.operand(weight, Slot::kConvertedW);
  const auto chunk = [&](std::int64_t begin, std::int64_t end) {
    const Matrix rows = matmul_.operand(Matrix(dy).slice(begin, end), Slot::kConvertedDy);
    multiply_into(rows, w, Matrix(dx.tensor).slice(begin, end), dx.accumulate);
  };
  if (dx.tensor.dtype == DType::kFloat32) return chunk(0, dy.shape[0]);
  for_each_own_chunk(dy.shape[0], dy.shape[1], chunk);
}

void CpuBackend::linear_backward_weight(T dy, T x, G dweight, G dbias) {
  for_each_chunk({0, dy.shape[0]}, dy.shape[1], [&](std::int64_t begin, std::int64_t end) {
    const bool first = begin == 0;
    const Matrix dy_rows = Matrix(dy).slice(begin, end);
    if (dbias.wanted()) {
      column_sums(scratch_, dy_rows, dbias.tensor.as<float>(), dbias.accumulate || !first);
    }
    const Matrix d = matmul_.operand(dy_rows, Slot::kConvertedDy);
    const Matrix rows = matmul_.operand(Matrix(x).slice(begin, end), Slot::kConvertedX);
    matmul_.multiply(d.t(), rows, dweight.tensor, dweight.accumulate || !first);
  });
}

void CpuBackend::concat_linear_forward(T a, T b, T weight, T bias, T y) {
  if (const auto integers = int8_weight(weight)) {
    return int8_->linear({a, b}, *integers, bias, y);
  }
  const std::int64_t split = a.shape[1], inputs = weight.shape[1];
  const Matrix w = matmul_.operand(weight, Slot::kConvertedW);
  for_each_own_chunk(a.shape[0], y.shape[1], [&](std::int64_t begin, std::int64_t end) {
    const Matrix to = Matrix(y).slice(begin, end);
    const Matrix result = result_chunk(to);
    start_rows(bias, {}, result, begin);
    const Matrix left = matmul_.operand(Matrix(a).slice(begin, end), Slot::kConvertedX);
    matmul_.multiply(left, w.columns_of(0, split).t(), result, true);
    const Matrix right = matmul_.operand(Matrix(b).slice(begin, end), Slot::kConvertedX);
    matmul_.multiply(right, w.columns_of(split, inputs).t(), result, true);
    finish_chunk(result, to, false);
  });
}

void CpuBackend::concat_linear_backward_input(T dy, T weight, G da, G db) {
  const std::int64_t inputs = weight.shape[1];
  const std::int64_t split = da.wanted() ? da.tensor.shape[1] : inputs - db.tensor.shape[1];
  const Matrix w = matmul_.operand(weight, Slot::kConvertedW);
  for_each_chunk({0, dy.shape[0]}, dy.shape[1], [&](std::int64_t begin, std::int64_t end) {
    const Matrix d = matmul_.operand(Matrix(dy).slice(begin, end), Slot::kConvertedDy);
    const auto put = [&](const Matrix& part, G to) {
      if (to.wanted()) multiply_into(d, part, Matrix(to.tensor).slice(begin, end), to.accumulate);
    };
    put(w.columns_of(0, split), da);
    put(w.columns_of(split, inputs), db);
  });
}

void CpuBackend::concat_linear_backward_weight(T dy, T a, T b, G dweight, G dbias) {
  const std::int64_t split = a.shape[1], inputs = split + b.shape[1];
  for_each_chunk({0, dy.shape[0]}, dy.shape[1], [&](std::int64_t begin, std::int64_t end) {
    const bool first = begin == 0;
    const Matrix dy_rows = Matrix(dy).slice(begin, end);
    column_sums(scratch_, dy_rows, dbias.tensor.as<float>(), dbias.accumulate || !first);
    const Matrix d = matmul_.operand(dy_rows, Slot::kConvertedDy);
    const auto put = [&](T x, std::int64_t from, std::int64_t to) {
      const Matrix rows = matmul_.operand(Matrix(x).slice(begin, end), Slot::kConvertedX);
      matmul_.multiply(d.t(), rows, Matrix(dweight.tensor).columns_of(from, to),
                       dweight.accumulate || !first);
    };
    put(a, 0, split);
    put(b, split, inputs);
  });
}

}  // namespace edt
