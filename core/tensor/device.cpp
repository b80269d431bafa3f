#include "core/tensor/device.h"

#include <algorithm>
#include <array>
#include <vector>

#include "core/base/clock.h"

namespace edt {

namespace {

template <class T>
void upload_as(Device& device, std::span<const float> host, const Tensor& to) {
  const std::vector<T> converted(host.begin(), host.end());
  device.upload(converted.data(), to);
}

}  // namespace

void Device::upload_floats(std::span<const float> host, const Tensor& to) {
  EDT_ASSERT(static_cast<std::int64_t>(host.size()) == to.elements());
  if (host.empty()) return;
  if (in_host_memory()) {
    copy({const_cast<float*>(host.data()), to.shape, DType::kFloat32}, to);
  } else if (to.dtype == DType::kFloat32) {
    upload(host.data(), to);
  } else if (to.dtype == DType::kBFloat16) {
    upload_as<bfloat16>(*this, host, to);
  } else {
    EDT_ASSERT(to.dtype == DType::kFloat64);
    upload_as<double>(*this, host, to);
  }
}

double Device::seconds_of(const std::function<void()>& work) {
  synchronize();
  const auto begin = Clock::now();
  work();
  synchronize();
  return seconds_since(begin);
}

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
