// Linear maps and feed-forward blocks of weights in 8-bit integers: rows become integers as they
// are read, products are scaled back as they are written, and hidden units go from one to the other
// while they are in cache.
#pragma once

#include <initializer_list>

#include "core/cpu/int8_rows.h"
#include "core/cpu/int8_weight.h"
#include "core/cpu/matmul.h"
#include "core/cpu/scratch.h"
#include "core/cpu/weight_forms.h"
#include "core/ops/mlp.h"

namespace edt {

class Int8Products {
 public:
  explicit Int8Products(Scratch& scratch) : scratch_(scratch) {}

  std::shared_ptr<Int8Weight> add(const Tensor& weight) { return weights_.add(weight); }
  // nullptr: not one of those that were added.
  std::shared_ptr<Int8Weight> find(const Tensor& weight) const { return weights_.find(weight); }

  // y = [inputs...] W^T + bias; bias may be undefined
  void linear(std::initializer_list<Matrix> inputs, Int8Weight& weight, const Tensor& bias,
              const Matrix& y);
  // Both weights are in integers; `gated`: SwiGLU's.
  bool has(const MlpWeights& weights) const { return find(weights.fc1) && find(weights.fc2); }
  void feed_forward(const Tensor& x, const MlpWeights& weights, bool gated, const Tensor& y);

 private:
  struct Rows {
    std::uint8_t* values;
    RowScale* scales;
    std::int64_t columns;
  };

  Rows rows(Slot values, Slot scales, std::int64_t count, std::int64_t columns);
  const float* bias_of(const Tensor& bias, Slot slot);
  std::int32_t* multiply(const Rows& rows, std::int64_t count, Int8Weight& weight);
  void finish(const Rows& rows, Int8Weight& weight, const float* bias, const Matrix& y);

  Scratch& scratch_;
  WeightForms<Int8Weight> weights_;
};

}  // namespace edt
