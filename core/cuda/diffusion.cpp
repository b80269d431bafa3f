// The loss, the forward noising and the noise itself.
#include "core/cuda/backend.h"
#include "core/cuda/kernels/layout.h"
#include "core/cuda/kernels/loss.h"
#include "core/cuda/kernels/loss_coefficients.h"
#include "core/cuda/kernels/random.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

using K = LossCoefficient;
static_assert(int{loss::kMseWeight} == K::kMseWeight && int{loss::kVbWeight} == K::kVbWeight &&
              int{loss::kSqrtRecipAlphaBar} == K::kSqrtRecipAlphaBar &&
              int{loss::kSqrtRecipM1AlphaBar} == K::kSqrtRecipM1AlphaBar &&
              int{loss::kPosteriorMean1} == K::kPosteriorMean1 &&
              int{loss::kPosteriorMean2} == K::kPosteriorMean2 &&
              int{loss::kLogVarianceMin} == K::kLogVarianceMin &&
              int{loss::kLogVarianceMax} == K::kLogVarianceMax &&
              int{loss::kIsFirstStep} == K::kIsFirstStep && int{loss::kCount} == K::kCount);

LossCall loss_call(const Tensor& tokens, const Tensor& x_start, const Tensor& x_t,
                   const Tensor& noise, const Tensor& coefficients, const Tensor& sample_weights,
                   std::int64_t patch) {
  check_batch("diffusion_loss", x_start.shape[0]);
  return {.dtype = element_of(tokens),
          .batch = x_start.shape[0],
          .channels = static_cast<int>(x_start.shape[1]),
          .height = static_cast<int>(x_start.shape[2]),
          .width = static_cast<int>(x_start.shape[3]),
          .patch = static_cast<int>(patch),
          .tokens = tokens.data,
          .x_start = x_start.as<float>(),
          .x_t = x_t.as<float>(),
          .noise = noise.as<float>(),
          .coefficients = coefficients.as<float>(),
          .sample_weights = sample_weights.as<float>()};
}

}  // namespace

void CudaBackend::diffusion_loss_forward(T tokens, T x_start, T x_t, T noise, T coefficients,
                                         T sample_weights, std::int64_t patch, T mse, T vb,
                                         T mean) {
  launch_loss_forward(stream(),
                      loss_call(tokens, x_start, x_t, noise, coefficients, sample_weights, patch),
                      mse.as<float>(), vb.as<float>(), mean.as<float>());
}

void CudaBackend::diffusion_loss_backward(T dmean, T tokens, T x_start, T x_t, T noise,
                                          T coefficients, T sample_weights, std::int64_t patch,
                                          G dtokens) {
  launch_loss_backward(stream(),
                       loss_call(tokens, x_start, x_t, noise, coefficients, sample_weights, patch),
                       dmean.as<float>(), dtokens.tensor.data, dtokens.accumulate);
}

void CudaBackend::add_noise(T x_start, T noise, T scales, T x_t) {
  check_batch("add_noise", x_start.shape[0]);
  launch_add_noise(stream(), x_start.as<float>(), noise.as<float>(), scales.as<float>(),
                   x_t.as<float>(), x_start.shape[0], x_start.elements() / x_start.shape[0]);
}

void CudaBackend::random_normal(random::StreamKey key, T samples, T out) {
  check_batch("random_normal", out.shape[0]);
  launch_random_normal(stream(), key, samples.as<std::int32_t>(), out.as<float>(), out.shape[0],
                       out.elements() / out.shape[0]);
}

}  // namespace edt
