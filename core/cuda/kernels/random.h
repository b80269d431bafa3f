// Numbers with the bits of those of the host.
#pragma once

#include "core/cuda/kernels/launch.h"
#include "core/random/stream.h"

namespace edt {

// out [batch, count]; row b is random::fill_normal() of the stream of `key` with sample =
// samples[b]
void launch_random_normal(cudaStream_t stream, const random::StreamKey& key,
                          const std::int32_t* samples, float* out, std::int64_t batch,
                          std::int64_t count);
// The same of random::fill_logistic().
void launch_random_logistic(cudaStream_t stream, const random::StreamKey& key,
                            const std::int32_t* samples, float* out, std::int64_t batch,
                            std::int64_t count);

}  // namespace edt
