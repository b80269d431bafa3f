// The diffusion objective on token outputs, with unpatchify fused, and the forward noising.
#pragma once

#include "core/ops/kernel.h"
#include "core/random/stream.h"

namespace edt {

// Per-sample coefficients, one row of DiffusionKernels' `coefficients` [B, kCount].
struct LossCoefficient {
  enum : int {
    kMseWeight,          // Min-SNR weight, or 1
    kVbWeight,           // 1; 0 leaves the bound out
    kSqrtRecipAlphaBar,  // predicted x_0 = this * x_t - next * predicted noise
    kSqrtRecipM1AlphaBar,
    kPosteriorMean1,  // posterior mean = this * x_0 + next * x_t
    kPosteriorMean2,
    kLogVarianceMin,  // clipped posterior log variance
    kLogVarianceMax,  // log beta
    kIsFirstStep,     // 1 at t = 0: the bound is the decoder's discretised likelihood
    kCount
  };
};

// tokens [B, r*c, p*p*2C] in (row, column, channel) order: C channels of predicted noise, then C
// that place the log variance between min (-1) and max (+1). Images [B, C, r*p, c*p], coefficients
// and per-sample results are accurate_dtype.
struct DiffusionKernels : virtual KernelFamily {
  // mse[b] = weight * mean((noise - predicted)^2). vb[b] = mean in bits of KL(posterior || model),
  // or at t = 0 of -log p(x_0 | x_1) discretised to 256 levels (Nichol and Dhariwal, arXiv
  // 2102.09672). mean[0] = sum_b sample_weights[b] * (mse[b] + vb[b]) / B, summed in batch order.
  virtual void diffusion_loss_forward(const Tensor& tokens, const Tensor& x_start,
                                      const Tensor& x_t, const Tensor& noise,
                                      const Tensor& coefficients, const Tensor& sample_weights,
                                      std::int64_t patch, const Tensor& mse, const Tensor& vb,
                                      const Tensor& mean);
  // dtokens = dmean[0] * d(mean); the model mean in the bound is detached.
  virtual void diffusion_loss_backward(const Tensor& dmean, const Tensor& tokens,
                                       const Tensor& x_start, const Tensor& x_t,
                                       const Tensor& noise, const Tensor& coefficients,
                                       const Tensor& sample_weights, std::int64_t patch,
                                       const GradTarget& dtokens);

  // x_t[b] = scales[b][0] * x_start[b] + scales[b][1] * noise[b]
  virtual void add_noise(const Tensor& x_start, const Tensor& noise, const Tensor& scales,
                         const Tensor& x_t);
  // out[b] = fill_normal of key with sample = samples[b] (int32 [B]); out [B, ...] float32
  virtual void random_normal(random::StreamKey key, const Tensor& samples, const Tensor& out);
};

struct LossInputs {
  Tensor x_start, x_t, noise;  // [B, C, H, W]
  Tensor coefficients;         // [B, LossCoefficient::kCount]
  Tensor sample_weights;       // [B]: importance weight of each sample
  std::int64_t patch = 2;
};

// Returns [1], the mean over the batch of weight * (mse + vb). `mse` and `vb` [B] are memory of the
// caller that receives the per-sample terms.
Var diffusion_loss(Tape& tape, const Var& tokens, const LossInputs& inputs, const Tensor& mse,
                   const Tensor& vb);

}  // namespace edt
