#include "core/cuda/kernels/token_loss.h"

#include "core/cuda/backend.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

TokenMeasure measure_of(Distance distance) {
  switch (distance) {
    case Distance::kSquare:
      return TokenMeasure::kSquare;
    case Distance::kDirection:
      return TokenMeasure::kDirection;
    case Distance::kAbsolute:
      return TokenMeasure::kAbsolute;
    case Distance::kSmoothL1:
      return TokenMeasure::kSmoothL1;
    case Distance::kCrossEntropy:
      return TokenMeasure::kCrossEntropy;
  }
  return TokenMeasure::kSquare;
}

TokenLossCall call_of(const Tensor& tokens, const Tensor& target, const Tensor& factors,
                      const Tensor& weights, const TokenDistance& distance) {
  check_batch("token_loss", tokens.shape[0]);
  return {.dtype = element_of(tokens),
          .batch = tokens.shape[0],
          .values = static_cast<int>(tokens.elements() / tokens.shape[0]),
          .group = static_cast<int>(distance.group),
          .measure = measure_of(distance.kind),
          .floor = kDirectionFloor,
          .beta = distance.beta,
          .temperature = distance.temperature,
          .target_temperature = distance.target_temperature,
          .tokens = tokens.data,
          .target = target.as<float>(),
          .factors = factors.as<float>(),
          .weights = weights.as<float>()};
}

}  // namespace

void CudaBackend::noise_target(T x_start, T noise, T mix, Int patch, T target) {
  check_batch("noise_target", x_start.shape[0]);
  launch_noise_target(stream(),
                      {.batch = x_start.shape[0],
                       .channels = static_cast<int>(x_start.shape[1]),
                       .height = static_cast<int>(x_start.shape[2]),
                       .width = static_cast<int>(x_start.shape[3]),
                       .patch = static_cast<int>(patch),
                       .x_start = x_start.as<float>(),
                       .noise = noise.as<float>(),
                       .mix = mix.as<float>()},
                      target.as<float>());
}

void CudaBackend::token_loss_forward(T tokens, T target, T factors, T weights, How distance,
                                     T losses, T mean) {
  launch_token_loss_forward(stream(), call_of(tokens, target, factors, weights, distance),
                            losses.as<float>(), mean.as<float>());
}

void CudaBackend::token_loss_backward(T dmean, T tokens, T target, T factors, T weights,
                                      How distance, G dtokens) {
  launch_token_loss_backward(stream(), call_of(tokens, target, factors, weights, distance),
                             dmean.as<float>(), dtokens.tensor.data, dtokens.accumulate);
}

}  // namespace edt
