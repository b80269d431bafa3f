// Formulas: core/reference/text.cpp.
#include "core/cuda/kernels/text.h"

#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kThreads = 256;

// A block for each token.
template <class T>
__global__ void __launch_bounds__(kThreads) text_tokens(TextCall call) {
  const int token = blockIdx.x, sample = blockIdx.y;
  const bool is_there = token < call.lengths[sample];
  const std::int64_t at = (static_cast<std::int64_t>(sample) * call.tokens + token) * call.channels;
  for (int c = threadIdx.x; c < call.channels; c += kThreads) {
    const float value[1] = {is_there ? call.features[at + c] : 0.0f};
    store<1>(static_cast<T*>(call.out) + at + c, value);
  }
}

// A thread for each channel of a sample.
template <class T>
__global__ void __launch_bounds__(kThreads) text_mean(TextCall call) {
  const int c = blockIdx.x * kThreads + threadIdx.x, sample = blockIdx.y;
  if (c >= call.channels) return;
  const int rows = call.lengths[sample];
  const std::int64_t first = static_cast<std::int64_t>(sample) * call.tokens;
  float sum = 0;
  for (int token = 0; token < rows; ++token)
    sum += call.features[(first + token) * call.channels + c];
  const float value[1] = {rows > 0 ? sum / static_cast<float>(rows) : 0.0f};
  store<1>(static_cast<T*>(call.out) + static_cast<std::int64_t>(sample) * call.channels + c,
           value);
}

}  // namespace

void launch_text_tokens(cudaStream_t stream, const TextCall& call) {
  const dim3 grid(static_cast<unsigned>(call.tokens), static_cast<unsigned>(call.batch));
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "text_tokens", grid, kThreads}, text_tokens<T>, call);
  });
}

void launch_text_mean(cudaStream_t stream, const TextCall& call) {
  const dim3 grid(static_cast<unsigned>(divide_up(call.channels, kThreads)),
                  static_cast<unsigned>(call.batch));
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "text_mean", grid, kThreads}, text_mean<T>, call);
  });
}

}  // namespace edt
