// Products with weights in 8-bit integers: what they are, to the last integer, and how far from the
// products that they stand for.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/cpu/cpu_library.h"
#include "core/ops/cases/case_inputs.h"
#include "core/ops/weight_quantizer.h"
#include "tests/core/ops/cpu/cpu_tensors.h"

namespace edt {
namespace {

using Values = std::vector<double>;

class Int8 : public CpuTensors {
 protected:
  // Normal numbers, of a spread and around a mean.
  Tensor drawn(const Shape& shape, float spread, float mean = 0) {
    std::vector<float> values = normal(shape);
    for (float& value : values) value = spread * value + mean;
    return filled(shape, values);
  }
  Values read(const Tensor& tensor) { return read_values(*backend_, tensor); }
  void quantize(const Tensor& weight) {
    forms_.push_back(weight_quantizer(*backend_)->quantize(weight));
  }

  Values linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    const Tensor y = empty({x.shape[0], weight.shape[0]});
    backend_->linear_forward(x, weight, bias, {}, y);
    return read(y);
  }
  Values concat(const Tensor& a, const Tensor& b, const Tensor& weight, const Tensor& bias) {
    const Tensor y = empty({a.shape[0], weight.shape[0]});
    backend_->concat_linear_forward(a, b, weight, bias, y);
    return read(y);
  }
  Values mlp(const Tensor& x, const MlpWeights& weights, const MlpHidden& hidden = {}) {
    const Tensor y = empty(x.shape);
    backend_->mlp_forward(x, weights, hidden, y);
    return read(y);
  }
  Values swiglu(const Tensor& x, const MlpWeights& weights) {
    const Tensor y = empty(x.shape);
    backend_->swiglu_forward(x, weights, {}, y);
    return read(y);
  }
  MlpWeights mlp_weights(std::int64_t width, std::int64_t units, std::int64_t columns) {
    return {drawn({columns, width}, 0.2f), drawn({columns}, 0.1f), drawn({width, units}, 0.2f),
            drawn({width}, 0.1f)};
  }
  // Of a bf16 result: its rounding.
  double rounding() const { return GetParam() == DType::kBFloat16 ? 1.0 / 256 : 2e-6; }

  std::vector<WeightHold> forms_;
};

double largest(const Values& values) {
  double most = 0;
  for (const double value : values) most = std::max(most, std::abs(value));
  return most;
}
// Root of the mean square of the difference, of b's.
double distance(const Values& a, const Values& b) {
  double difference = 0, whole = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    whole += b[i] * b[i];
  }
  return std::sqrt(difference / whole);
}

// The rule, written out: integers of a row of the weight are symmetric, those of a token start at
// its least value; both are rounded to nearest.
Values by_the_rule(const Values& x, const Values& weight, const Values& bias, std::int64_t inputs) {
  const int quantum = onednn_has_vnni() ? 255 : 127;
  const auto k = static_cast<std::size_t>(inputs);
  Values y;
  for (std::size_t m = 0; m < x.size(); m += k) {
    const auto [low, high] = std::minmax_element(x.begin() + static_cast<std::ptrdiff_t>(m),
                                                 x.begin() + static_cast<std::ptrdiff_t>(m + k));
    const auto first = static_cast<float>(*low);
    const float scale = (static_cast<float>(*high) - first) / static_cast<float>(quantum);
    for (std::size_t n = 0; n < bias.size(); ++n) {
      float most = 0;
      for (std::size_t i = 0; i < k; ++i) {
        most = std::max(most, std::abs(static_cast<float>(weight[n * k + i])));
      }
      const float weight_scale = most / 127;
      double sum = 0;
      for (std::size_t i = 0; i < k; ++i) {
        const float q = std::nearbyint((static_cast<float>(x[m + i]) - first) * (1 / scale));
        const float w = std::nearbyint(static_cast<float>(weight[n * k + i]) * (1 / weight_scale));
        sum += (double{q} * scale + first) * w * weight_scale;
      }
      y.push_back(sum + bias[n]);
    }
  }
  return y;
}

// Widths that fill no vector, one that fills all, a row alone, and more than a chunk.
TEST_P(Int8, ProductsAreThoseOfTheRule) {
  for (const Shape& size :
       {Shape{5, 13, 7}, Shape{1, 52, 64}, Shape{3, 96, 33}, Shape{700, 24, 1000}}) {
    const Tensor x = drawn({size[0], size[1]}, 2, 0.5f);
    const Tensor weight = drawn({size[2], size[1]}, 0.3f), bias = drawn({size[2]}, 1);
    quantize(weight);
    const Values y = linear(x, weight, bias);
    const Values expected = by_the_rule(read(x), read(weight), read(bias), size[1]);
    const double allowed = rounding() * (1 + largest(expected));
    for (std::size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], expected[i], allowed) << i;
  }
}

// Eight bits of weights and activations: a part in a hundred of each. Seven: two.
TEST_P(Int8, AreNearTheProductsTheyStandFor) {
  const Tensor a = drawn({40, 48}, 1), b = drawn({40, 36}, 3, 1);
  const Tensor weight = drawn({52, 84}, 0.2f), bias = drawn({52}, 0.1f);
  const MlpWeights gelu = mlp_weights(48, 112, 112), gated = mlp_weights(48, 40, 80);
  const Values joined = concat(a, b, weight, bias), hidden = mlp(a, gelu), gates = swiglu(a, gated);
  for (const Tensor& one : {weight, gelu.fc1, gelu.fc2, gated.fc1, gated.fc2}) quantize(one);
  for (const auto& [now, before] :
       {std::pair{concat(a, b, weight, bias), joined}, std::pair{mlp(a, gelu), hidden},
        std::pair{swiglu(a, gated), gates}}) {
    EXPECT_NE(now, before);
    EXPECT_LT(distance(now, before), onednn_has_vnni() ? 0.02 : 0.03);
  }
}

TEST_P(Int8, AConstantRowIsExactAndNoneIsZero) {
  const Tensor x = filled({2, 4}, std::vector<float>{0.5f, 0.5f, 0.5f, 0.5f, 0, 0, 0, 0});
  const Tensor weight = filled({1, 4}, std::vector<float>{127, -127, 64, 32}), bias = drawn({1}, 1);
  quantize(weight);
  const double b = read(bias)[0];
  const Values y = linear(x, weight, bias);
  EXPECT_NEAR(y[0], 48 + b, 48 * rounding());
  EXPECT_NEAR(y[1], b, rounding());
}

// Nothing that is not finite becomes a number, and no other token sees it.
TEST_P(Int8, TokensThatAreNotFiniteStaySo) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const std::int64_t at : {0, 17, 20}) {
      const Tensor x = drawn({3, 21}, 1), other = drawn({3, 21}, 1);
      Values values = read(x);
      values[static_cast<std::size_t>(21 + at)] = bad;
      backend_->upload_floats(std::vector<float>(values.begin(), values.end()), x);
      const Tensor weight = drawn({5, 42}, 1);
      quantize(weight);
      for (const Values& y : {concat(x, other, weight, {}), concat(other, x, weight, {})}) {
        for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(std::isfinite(y[i]), i / 5 != 1) << i;
      }
    }
  }
}

// As with floats: a weight that diverged shows, and in its output alone.
TEST_P(Int8, WeightsThatAreNotFiniteStaySo) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    const Tensor x = drawn({3, 21}, 1), weight = drawn({5, 21}, 1);
    Values values = read(weight);
    values[2 * 21 + 7] = bad;
    backend_->upload_floats(std::vector<float>(values.begin(), values.end()), weight);
    quantize(weight);
    const Values y = linear(x, weight, {});
    for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(std::isfinite(y[i]), i % 5 != 2) << i;
  }
}

// Training goes on in the weights' own type, whatever has been sampled.
TEST_P(Int8, WhatKeepsForBackwardIsNotQuantized) {
  const Tensor x = drawn({6, 16}, 1);
  const MlpWeights weights = mlp_weights(16, 48, 48);
  const auto kept = [&] { return mlp(x, weights, {empty({6, 48}), {}}); };
  const Values before = kept();
  quantize(weights.fc1);
  quantize(weights.fc2);
  EXPECT_EQ(kept(), before);
  EXPECT_NE(mlp(x, weights), before);
}

INSTANTIATE_TEST_SUITE_P(Types, Int8, testing::Values(DType::kFloat32, DType::kBFloat16),
                         [](const auto& type) { return std::string(name_of(type.param)); });

}  // namespace
}  // namespace edt
