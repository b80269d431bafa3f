// Products with packed ternary weights against those with the same weights unpacked.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/cpu/packed_ternary.h"
#include "core/ops/cases/case_inputs.h"
#include "core/ops/ternary_packer.h"
#include "tests/core/ops/cpu/cpu_tensors.h"

namespace edt {
namespace {

using Values = std::vector<double>;

class Packed : public CpuTensors {
 protected:
  // -a, 0 and a, a third each.
  Tensor ternary(const Shape& shape, float a = 0.375f) {
    std::vector<float> values = normal(shape);
    for (float& value : values) value = std::abs(value) < 0.43f ? 0 : std::copysign(a, value);
    return filled(shape, values);
  }
  Values linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {}) {
    const Tensor y = empty({x.shape[0], weight.shape[0]});
    backend_->linear_forward(x, weight, bias, {}, y);
    return read_values(*backend_, y);
  }
  Values mlp(const Tensor& x, const MlpWeights& weights) {
    const Tensor y = empty(x.shape);
    backend_->mlp_forward(x, weights, {}, y);
    return read_values(*backend_, y);
  }
  WeightHold pack(const Tensor& weight) { return ternary_packer(*backend_)->pack_ternary(weight); }
  // Sums of float32 in another order; of a bf16 result its rounding, and a hidden unit's.
  double tolerance(double of) const {
    return of * (GetParam() == DType::kBFloat16 ? 1.0 / 128 : 4e-6);
  }
  void expect_near(const Values& packed, const Values& dense) const {
    ASSERT_EQ(packed.size(), dense.size());
    double largest = 0;
    for (const double value : dense) largest = std::max(largest, std::abs(value));
    for (std::size_t i = 0; i < dense.size(); ++i) {
      ASSERT_NEAR(packed[i], dense[i], tolerance(largest)) << i;
    }
  }
};

TEST_P(Packed, IsTheProductOfTheSameWeights) {
  for (const Shape& shape : {Shape{1, 1}, Shape{16, 16}, Shape{33, 50}, Shape{624, 104}}) {
    const Tensor weight = ternary(shape), bias = drawn({shape[0]});
    for (const std::int64_t rows : {1, 2, 5, 6, 7, 16, 32}) {
      const Tensor x = drawn({rows, shape[1]});
      const Values dense = linear(x, weight, bias), plain = linear(x, weight);
      const WeightHold form = pack(weight);
      expect_near(linear(x, weight, bias), dense);
      expect_near(linear(x, weight), plain);
    }
  }
}

TEST_P(Packed, IsLeftOutWhereItIsNoFasterAndWhenItIsGone) {
  const Tensor weight = ternary({200, 96});
  const Tensor many = drawn({PackedTernary::kMostRows + 1, 96}), few = drawn({3, 96});
  const Values dense_many = linear(many, weight), dense_few = linear(few, weight);
  WeightHold form = pack(weight);
  EXPECT_EQ(linear(many, weight), dense_many);
  if (GetParam() == DType::kFloat32) {
    EXPECT_NE(linear(few, weight), dense_few);  // another order of sums
  }
  form.reset();
  EXPECT_EQ(linear(few, weight), dense_few);
}

TEST_P(Packed, ARowDependsOnNoOther) {
  const Tensor weight = ternary({64, 40});
  const WeightHold form = pack(weight);
  const Tensor all = drawn({17, 40});
  const Values together = linear(all, weight);
  for (std::int64_t r = 0; r < 17; ++r) {
    Tensor one = all;
    one.shape = {1, 40};
    one.data = static_cast<std::byte*>(all.data) + r * 40 * static_cast<int>(size_of(all.dtype));
    const Values alone = linear(one, weight);
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + r * 64)) << r;
  }
}

TEST_P(Packed, FeedForwardBlocks) {
  const MlpWeights weights{ternary({192, 48}), drawn({192}), ternary({48, 192}, 0.25f),
                           drawn({48})};
  const Tensor x = drawn({11, 48});
  const Values dense = mlp(x, weights);
  const WeightHold first = pack(weights.fc1), second = pack(weights.fc2);
  expect_near(mlp(x, weights), dense);
}

// All zeros, and what has come apart.
TEST_P(Packed, WithoutAScale) {
  const Tensor x = drawn({2, 20});
  const std::vector<float> zeros(60), none(60, std::numeric_limits<float>::quiet_NaN());
  const Tensor zero = filled({3, 20}, zeros), nan = filled({3, 20}, none);
  const WeightHold first = pack(zero), second = pack(nan);
  EXPECT_EQ(linear(x, zero), Values(6, 0.0));
  for (const double value : linear(x, nan)) EXPECT_TRUE(std::isnan(value));
}

INSTANTIATE_TEST_SUITE_P(Cpu, Packed, testing::Values(DType::kFloat32, DType::kBFloat16),
                         [](const auto& type) { return std::string(name_of(type.param)); });

}  // namespace
}  // namespace edt
