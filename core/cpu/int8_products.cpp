#include "core/cpu/int8_products.h"

#include "core/cpu/activation_kernels.h"
#include "core/cpu/chunks.h"

namespace edt {
namespace {

// Row `at` of the inputs side by side.
RowScale quantize(std::span<const Matrix> inputs, std::int64_t at, std::uint8_t* to) {
  const auto row = [&](const Matrix& input) { return input.span.from(at * input.stride); };
  RowRange range = range_of(row(inputs[0]), inputs[0].columns);
  for (const Matrix& input : inputs.subspan(1)) {
    range = range.with(range_of(row(input), input.columns));
  }
  const RowScale scale = range.scale(largest_quantum());
  for (const Matrix& input : inputs) {
    quantize_row(row(input), input.columns, scale, to);
    to += input.columns;
  }
  return scale;
}

}  // namespace

Int8Products::Rows Int8Products::rows(Slot values, Slot scales, std::int64_t count,
                                      std::int64_t columns) {
  return {scratch_.of<std::uint8_t>(values, count * columns), scratch_.of<RowScale>(scales, count),
          columns};
}

const float* Int8Products::bias_of(const Tensor& bias, Slot slot) {
  if (!bias.defined()) return nullptr;
  if (bias.dtype == DType::kFloat32) return bias.as<float>();
  float* floats = scratch_.floats(slot, bias.elements());
  convert({bias.data, bias.dtype}, {floats}, bias.elements());
  return floats;
}

std::int32_t* Int8Products::multiply(const Rows& rows, std::int64_t count, Int8Weight& weight) {
  auto* products = scratch_.of<std::int32_t>(Slot::kProducts, count * weight.outputs());
  weight.multiply(rows.values, count, products);
  return products;
}

void Int8Products::finish(const Rows& rows, Int8Weight& weight, const float* bias,
                          const Matrix& y) {
  const std::int64_t n = weight.outputs();
  const std::int32_t* products = multiply(rows, y.rows, weight);
  const WeightColumns columns{weight.scales(), weight.sums(), bias};
  parallel_ranges(y.rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      dequantize_row(products + r * n, rows.scales[r], columns, y.span.from(r * y.stride), n);
    }
  });
}

void Int8Products::linear(std::initializer_list<Matrix> inputs, Int8Weight& weight,
                          const Tensor& bias, const Matrix& y) {
  const float* const floats = bias_of(bias, Slot::kBias1);
  for_each_chunk({0, y.rows}, weight.outputs(), [&](std::int64_t begin, std::int64_t end) {
    const Rows in = rows(Slot::kQuantized, Slot::kRowScales, end - begin, weight.inputs());
    parallel_ranges(end - begin, kRowGrain, [&](std::int64_t from, std::int64_t to) {
      for (std::int64_t r = from; r < to; ++r) {
        in.scales[r] = quantize(std::span(inputs), begin + r, in.values + r * in.columns);
      }
    });
    finish(in, weight, floats, y.slice(begin, end));
  });
}

void Int8Products::feed_forward(const Tensor& x, const MlpWeights& weights, bool gated,
                                const Tensor& y) {
  const auto held = std::pair(find(weights.fc1), find(weights.fc2));
  Int8Weight &first = *held.first, &second = *held.second;
  const std::int64_t width = first.outputs(), units = second.inputs();
  const WeightColumns columns{first.scales(), first.sums(),
                              bias_of(weights.fc1_bias, Slot::kBias1)};
  const float* const last_bias = bias_of(weights.fc2_bias, Slot::kBias2);
  for_each_chunk({0, x.shape[0]}, width, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t count = end - begin;
    const Rows in = rows(Slot::kQuantized, Slot::kRowScales, count, first.inputs());
    const Rows hidden = rows(Slot::kQuantizedHidden, Slot::kHiddenScales, count, units);
    const Matrix from = Matrix(x).slice(begin, end);
    parallel_ranges(count, kRowGrain, [&](std::int64_t r, std::int64_t last) {
      for (; r < last; ++r) in.scales[r] = quantize({&from, 1}, r, in.values + r * in.columns);
    });
    const std::int32_t* products = multiply(in, count, first);
    float* const by_thread = scratch_.floats(Slot::kHidden, thread_count() * width);
    parallel_parts(count, kRowGrain, [&](std::int64_t part, Range range) {
      const Span h{by_thread + part * width};
      const Matrix activated(h, 1, units);
      for (std::int64_t r = range.begin; r < range.end; ++r) {
        dequantize_row(products + r * width, in.scales[r], columns, h, width);
        gated ? silu_gate(h, h, 1, units) : activate(Activation::kGeluTanh, h, h, units);
        hidden.scales[r] = quantize({&activated, 1}, 0, hidden.values + r * units);
      }
    });
    finish(hidden, second, last_bias, Matrix(y).slice(begin, end));
  });
}

}  // namespace edt
