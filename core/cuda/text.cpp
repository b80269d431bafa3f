#include "core/cuda/kernels/text.h"

#include "core/cuda/backend.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

TextCall text_call_of(const Tensor& features, const Tensor& lengths, const Tensor& out) {
  check_batch("text", features.shape[0]);
  return {.dtype = element_of(out),
          .batch = features.shape[0],
          .tokens = static_cast<int>(features.shape[1]),
          .channels = static_cast<int>(features.shape[2]),
          .features = features.as<float>(),
          .lengths = lengths.as<std::int32_t>(),
          .out = out.data};
}

}  // namespace

void CudaBackend::text_tokens(T features, T lengths, T out) {
  launch_text_tokens(stream(), text_call_of(features, lengths, out));
}

void CudaBackend::text_mean(T features, T lengths, T out) {
  launch_text_mean(stream(), text_call_of(features, lengths, out));
}

}  // namespace edt
