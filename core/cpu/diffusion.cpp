#include "core/cpu/elementwise.h"
#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"

namespace edt {

void CpuBackend::add_noise(T x_start, T noise, T scales, T x_t) {
  const std::int64_t batch = x_start.shape[0], n = x_start.elements() / batch;
  const float* factors = scales.as<float>();
  parallel_ranges(batch, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      blend(factors[2 * b], x_start.as<float>() + b * n, factors[2 * b + 1],
            noise.as<float>() + b * n, x_t.as<float>() + b * n, n);
    }
  });
}

void CpuBackend::random_normal(random::StreamKey key, T samples, T out) {
  parallel_ranges(out.shape[0], 1, [&](std::int64_t begin, std::int64_t end) {
    random::StreamKey own = key;
    for (std::int64_t b = begin; b < end; ++b) {
      own.sample = static_cast<std::uint32_t>(samples.as<std::int32_t>()[b]);
      random::fill_normal(own, out.slice(b, b + 1).span<float>());
    }
  });
}

}  // namespace edt
