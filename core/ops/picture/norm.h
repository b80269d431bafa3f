// Norms of pictures [N, H, W, C], forward only. Statistics are float32 or better whatever the
// pictures are; a result may be float32 where the input is bf16.
#pragma once

#include "core/ops/kernel.h"
#include "core/ops/picture/activation.h"

namespace edt {

struct GroupNormForm {
  std::int64_t groups = 32;
  double epsilon = 1e-6;
  PictureActivation activation = PictureActivation::kNone;
};

struct PictureNormKernels : virtual KernelFamily {
  // y = f((x - mean) / sqrt(variance + epsilon) * weight + bias); mean and variance (of the
  // population) over the pixels and the channels of a group, of each picture. weight, bias [C]
  // accurate_dtype.
  virtual void group_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                          const GroupNormForm& form, const Tensor& y);
  // y = f(x / sqrt(mean of x^2 over the channels + epsilon) * weight + bias) + residual, pixel by
  // pixel; the residual may be undefined, or y itself.
  virtual void channel_rms_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                double epsilon, PictureActivation activation,
                                const Tensor& residual, const Tensor& y);
};

// Wu and He, arXiv 1803.08494. The result is of type `result`.
Var group_norm(Tape& tape, const Var& x, const Tensor& weight, const Tensor& bias,
               const GroupNormForm& form, DType result);
// Zhang and Sennrich, arXiv 1910.07467, with a bias.
Var channel_rms_norm(Tape& tape, const Var& x, const Tensor& weight, const Tensor& bias,
                     double epsilon, PictureActivation activation, const Var& residual,
                     DType result);

}  // namespace edt
