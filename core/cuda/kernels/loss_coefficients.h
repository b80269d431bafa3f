// Places of the coefficients of a sample; core/cuda/diffusion.cpp asserts that they are those of
// LossCoefficient, whose header nvcc cannot read.
#pragma once

namespace edt::loss {

enum : int {
  kMseWeight,
  kVbWeight,
  kSqrtRecipAlphaBar,
  kSqrtRecipM1AlphaBar,
  kPosteriorMean1,
  kPosteriorMean2,
  kLogVarianceMin,
  kLogVarianceMax,
  kIsFirstStep,
  kCount
};

}  // namespace edt::loss
