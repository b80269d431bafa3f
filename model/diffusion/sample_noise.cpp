#include "model/diffusion/sample_noise.h"

#include <algorithm>

#include "core/base/assert.h"
#include "core/random/stream.h"

namespace edt {
namespace {

void fill_pictures(random::StreamKey key, std::uint32_t first, const Tensor& out) {
  const std::int64_t pictures = out.shape[0];
#pragma omp parallel for schedule(static) firstprivate(key)
  for (std::int64_t b = 0; b < pictures; ++b) {
    key.sample = first + static_cast<std::uint32_t>(b);
    const auto values = out.span<float>();
    const std::size_t size = values.size() / static_cast<std::size_t>(pictures);
    random::fill_normal(key, values.subspan(static_cast<std::size_t>(b) * size, size));
  }
}

StepNoise keyed_noise(std::uint64_t seed, random::Purpose purpose, std::uint32_t first) {
  return [=](int step, const Tensor& out) {
    fill_pictures({.seed = seed, .purpose = purpose, .step = static_cast<std::uint32_t>(step)},
                  first, out);
  };
}

}  // namespace

void fill_initial_noise(std::uint64_t seed, std::uint32_t first, const Tensor& out) {
  fill_pictures({.seed = seed, .purpose = random::Purpose::kSampleInit}, first, out);
}

StepNoise keyed_step_noise(std::uint64_t seed, std::uint32_t first) {
  return keyed_noise(seed, random::Purpose::kSampleStep, first);
}

StepNoise keyed_known_noise(std::uint64_t seed, std::uint32_t first) {
  return keyed_noise(seed, random::Purpose::kSampleKnown, first);
}

StepNoise keyed_back_noise(std::uint64_t seed, std::uint32_t first) {
  return keyed_noise(seed, random::Purpose::kSampleBack, first);
}

StepNoise given_step_noise(const Tensor& all, std::int64_t first) {
  return [all, first](int step, const Tensor& out) {
    EDT_ASSERT(all.shape.rank() == 5 && step < all.shape[0]);
    const std::int64_t pictures = std::min(out.shape[0], all.shape[1] - first);
    const std::int64_t picture = out.elements() / out.shape[0];
    EDT_ASSERT(pictures >= 0 && picture * all.shape[0] * all.shape[1] == all.elements());
    const auto offset = static_cast<std::size_t>((step * all.shape[1] + first) * picture);
    const auto values =
        all.span<float>().subspan(offset, static_cast<std::size_t>(pictures * picture));
    const auto rest = std::ranges::copy(values, out.as<float>()).out;
    std::fill(rest, out.as<float>() + out.elements(), 0.f);
  };
}

}  // namespace edt
