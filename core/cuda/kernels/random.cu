#include "core/cuda/kernels/random.h"
#include "core/random/normal.h"

namespace edt {
namespace {

constexpr int kThreads = 128;

// A thread makes the four numbers of one Philox block.
__global__ void __launch_bounds__(kThreads)
    random_normal(random::StreamKey key, const std::int32_t* samples, float* out,
                  std::int64_t count) {
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (4 * index >= count) return;
  key.sample = static_cast<std::uint32_t>(samples[blockIdx.y]);
  const random::Counter words = random::block(key, static_cast<std::uint32_t>(index));
  const auto values = random::normals_of(words);
  float* to = out + blockIdx.y * count + 4 * index;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (4 * index + i < count) to[i] = values[i];
  }
}

}  // namespace

void launch_random_normal(cudaStream_t stream, const random::StreamKey& key,
                          const std::int32_t* samples, float* out, std::int64_t batch,
                          std::int64_t count) {
  const dim3 grid(static_cast<unsigned>(divide_up(divide_up(count, 4), kThreads)),
                  static_cast<unsigned>(batch));
  launch({stream, "random_normal", grid, kThreads}, random_normal, key, samples, out, count);
}

}  // namespace edt
