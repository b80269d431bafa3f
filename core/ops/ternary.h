// Ternary weights (TerDiT, arXiv 2405.14854): a product is with a q in place of W. Of an element w,
// q is its sign where |w| / (mean |W| + 1e-6) rounds to 1 or more, ties to even, and 0 elsewhere; a
// is learnt, one number for the weight. Rounding is passed straight through:
//   da = sum of d(a q) q, dW = a d(a q)
// What is quantized lives as long as one op needs it; backward quantizes again.
#pragma once

#include "core/ops/kernel.h"

namespace edt {

// |w| above this is 1 or -1. `sum`: of all |w|, `elements` of them.
constexpr double ternary_edge(double sum, std::int64_t elements) {
  return (sum / static_cast<double>(elements) + 1e-6) / 2;
}

struct TernaryKernels : virtual KernelFamily {
  // sum [1] (accurate_dtype) = sum of |w|; the same bits whatever the number of threads.
  virtual void absolute_sum(const Tensor& weight, const Tensor& sum);
  // value = scale[0] q, of the weight's shape; `sum` is that of a weight of so many elements, of
  // which `weight` may be a part.
  virtual void ternary_quantize(const Tensor& weight, const Tensor& sum, std::int64_t elements,
                                const Tensor& scale, const Tensor& value);
  // From d(value), accurate_dtype: dweight (+)= scale[0] dvalue, dscale [1] (+)= sum of dvalue q.
  virtual void ternary_gradient(const Tensor& dvalue, const Tensor& weight, const Tensor& sum,
                                std::int64_t elements, const Tensor& scale,
                                const GradTarget& dweight, const GradTarget& dscale);
};

// A weight as ops use it in one of their calls: what kernels multiply with, and where they put the
// gradient by it. Of a weight that is not ternary the parameter itself.
class WeightUse {
 public:
  WeightUse(Tape& tape, Parameter& weight);
  ~WeightUse();
  WeightUse(const WeightUse&) = delete;
  WeightUse& operator=(const WeightUse&) = delete;

  const Tensor& value() const { return value_; }

  // In backward: kernels write here, then finish() follows.
  const GradTarget& gradient();
  void finish();

 private:
  void quantize(const Tensor& weight, const Tensor& scale);

  Tape& tape_;
  Parameter& weight_;
  Tensor value_, sum_;
  GradTarget gradient_;
};

// The parameter that is used with a weight: its scale; nullptr: it has none.
inline Parameter* scale_of(const Parameter& weight) {
  return weight.ternary == nullptr ? nullptr : weight.ternary->scale;
}

}  // namespace edt
