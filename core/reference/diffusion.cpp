#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {

void ReferenceBackend::add_noise(T x_start, T noise, T scales, T x_t) {
  const std::int64_t per_sample = x_start.elements() / x_start.shape[0];
  const Doubles clean = load(x_start), drawn = load(noise), factor = load(scales);
  Doubles out(clean.size());
  for (std::int64_t i = 0; i < x_start.elements(); ++i) {
    const std::int64_t b = i / per_sample;
    out[i] = factor[2 * b] * clean[i] + factor[2 * b + 1] * drawn[i];
  }
  store(out, x_t);
}

void ReferenceBackend::random_normal(random::StreamKey key, T samples, T out) {
  for (std::int64_t b = 0; b < out.shape[0]; ++b) {
    key.sample = static_cast<std::uint32_t>(samples.as<std::int32_t>()[b]);
    random::fill_normal(key, out.slice(b, b + 1).span<float>());
  }
}

}  // namespace edt
