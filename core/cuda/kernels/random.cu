#include "core/cuda/kernels/random.h"

#include "core/random/logistic.h"

namespace edt {
namespace {

constexpr int kThreads = 128;

struct Normals {
  __device__ static std::array<float, 4> of(const random::Counter& words) {
    return random::normals_of(words);
  }
};

struct Logistics {
  __device__ static std::array<float, 4> of(const random::Counter& words) {
    return {random::logistic_of(words[0]), random::logistic_of(words[1]),
            random::logistic_of(words[2]), random::logistic_of(words[3])};
  }
};

// A thread makes the four numbers of one Philox block.
template <class Numbers>
__global__ void __launch_bounds__(kThreads)
    random_numbers(random::StreamKey key, const std::int32_t* samples, float* out,
                   std::int64_t count) {
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (4 * index >= count) return;
  key.sample = static_cast<std::uint32_t>(samples[blockIdx.y]);
  const auto values = Numbers::of(random::block(key, static_cast<std::uint32_t>(index)));
  float* to = out + blockIdx.y * count + 4 * index;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (4 * index + i < count) to[i] = values[i];
  }
}

dim3 grid_of(std::int64_t batch, std::int64_t count) {
  return {static_cast<unsigned>(divide_up(divide_up(count, 4), kThreads)),
          static_cast<unsigned>(batch)};
}

}  // namespace

void launch_random_normal(cudaStream_t stream, const random::StreamKey& key,
                          const std::int32_t* samples, float* out, std::int64_t batch,
                          std::int64_t count) {
  launch({stream, "random_normal", grid_of(batch, count), kThreads}, random_numbers<Normals>, key,
         samples, out, count);
}

void launch_random_logistic(cudaStream_t stream, const random::StreamKey& key,
                            const std::int32_t* samples, float* out, std::int64_t batch,
                            std::int64_t count) {
  launch({stream, "random_logistic", grid_of(batch, count), kThreads}, random_numbers<Logistics>,
         key, samples, out, count);
}

}  // namespace edt
