#include "core/tensor/device.h"

#include <algorithm>
#include <array>

namespace edt {

void Device::fold(std::span<const Tensor> sums, const Tensor& last) {
  constexpr std::size_t kChunk = 2048;  // stays in the first-level cache
  const std::span<const float> values = last.span<float>();
#pragma omp parallel for schedule(static)
  for (std::size_t begin = 0; begin < values.size(); begin += kChunk) {
    const std::size_t count = std::min(kChunk, values.size() - begin);
    std::array<float, kChunk> sum;
    std::copy_n(values.data() + begin, count, sum.begin());
    for (std::size_t level = sums.size() - 1; level > 0; --level) {
      const float* left = sums[level].as<float>() + begin;
      for (std::size_t i = 0; i < count; ++i) sum[i] = left[i] + sum[i];
    }
    float* result = sums[0].as<float>() + begin;
    for (std::size_t i = 0; i < count; ++i) result[i] += sum[i];
  }
}

}  // namespace edt
