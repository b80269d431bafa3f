// y = x W^T + b (+ a fixed row table), the matrix product of the models.
#pragma once

#include <span>

#include "core/ops/kernel.h"

namespace edt {

// One of several maps of an input: weight [N, K], bias [N] or undefined, the result y [M, N].
struct LinearMap {
  Tensor weight, bias, y;
};

// M rows, K inputs, N outputs. Statistics and parameter gradients are accurate_dtype.
struct LinearKernels : virtual KernelFamily {
  // x [M, K], weight [N, K], bias [N] or undefined, positions [T, N] or undefined with T dividing
  // M: row m of y [M, N] also receives row m mod T of positions.
  virtual void linear_forward(const Tensor& x, const Tensor& weight, const Tensor& bias,
                              const Tensor& positions, const Tensor& y);
  // Maps of one shape: to the bit as linear_forward() by each, which a backend without something
  // better does.
  virtual void linears_forward(const Tensor& x, std::span<const LinearMap> maps);
  // dx (+)= dy W
  virtual void linear_backward_input(const Tensor& dy, const Tensor& weight, const GradTarget& dx);
  // dW (+)= dy^T x, db (+)= column sums of dy (when wanted)
  virtual void linear_backward_weight(const Tensor& dy, const Tensor& x, const GradTarget& dweight,
                                      const GradTarget& dbias);

  // y = [a, b] W^T + bias for a [M, Ka], b [M, Kb], weight [N, Ka + Kb], bias [N]
  virtual void concat_linear_forward(const Tensor& a, const Tensor& b, const Tensor& weight,
                                     const Tensor& bias, const Tensor& y);
  // First da, then db: they may be one tensor.
  virtual void concat_linear_backward_input(const Tensor& dy, const Tensor& weight,
                                            const GradTarget& da, const GradTarget& db);
  virtual void concat_linear_backward_weight(const Tensor& dy, const Tensor& a, const Tensor& b,
                                             const GradTarget& dweight, const GradTarget& dbias);
};

// x [..., K] -> [..., N]. weight [N, ...] is read as [N, K].
Var linear(Tape& tape, const Var& x, Parameter& weight, Parameter* bias = nullptr,
           const Tensor& positions = {});

// The parts of linear(), for what computes its result in another way: checks, sizes, and the node
// on the tape once `y` is there.
void check_linear(const Var& x, const Parameter& weight, const Parameter* bias);
Shape linear_shape(const Var& x, const Parameter& weight);
double linear_flops(const Var& x, const Parameter& weight);
void record_linear(Tape& tape, const Var& y, const Var& x, Parameter& weight, Parameter* bias);

// a [..., Ka], b [..., Kb] -> [..., N]: the linear map of the concatenation, which is never made.
Var concat_linear(Tape& tape, const Var& a, const Var& b, Parameter& weight, Parameter& bias);

}  // namespace edt
