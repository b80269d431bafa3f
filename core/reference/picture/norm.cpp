#include "core/reference/doubles.h"
#include "core/reference/kernels.h"
#include "core/reference/picture/activate.h"

namespace edt {

void ReferenceBackend::group_norm(T x, T weight, T bias, const GroupNormForm& form, T y) {
  const Doubles in = load(x), gamma = load(weight), beta = load(bias);
  Doubles out(in.size());
  const std::int64_t channels = x.shape[3], pixels = x.shape[1] * x.shape[2];
  const std::int64_t size = channels / form.groups;
  for (std::int64_t n = 0; n < x.shape[0]; ++n) {
    for (std::int64_t g = 0; g < form.groups; ++g) {
      const auto for_each = [&](auto&& f) {
        for (std::int64_t p = 0; p < pixels; ++p) {
          for (std::int64_t c = g * size; c < (g + 1) * size; ++c) {
            f(static_cast<std::size_t>((n * pixels + p) * channels + c),
              static_cast<std::size_t>(c));
          }
        }
      };
      const double count = static_cast<double>(pixels * size);
      double mean = 0, variance = 0;
      for_each([&](std::size_t i, std::size_t) { mean += in[i] / count; });
      for_each(
          [&](std::size_t i, std::size_t) { variance += (in[i] - mean) * (in[i] - mean) / count; });
      const double factor = 1 / std::sqrt(variance + form.epsilon);
      for_each([&](std::size_t i, std::size_t c) {
        out[i] = activated(form.activation, (in[i] - mean) * factor * gamma[c] + beta[c]);
      });
    }
  }
  store(out, y);
}

void ReferenceBackend::channel_rms_norm(T x, T weight, T bias, double epsilon,
                                        PictureActivation activation, T residual, T y) {
  const Doubles in = load(x), gamma = load(weight), beta = load(bias);
  Doubles out = residual.defined() ? load(residual) : Doubles(in.size());
  const auto channels = static_cast<std::size_t>(x.shape[3]);
  for (std::size_t pixel = 0; pixel < in.size(); pixel += channels) {
    double square = 0;
    for (std::size_t c = 0; c < channels; ++c) square += in[pixel + c] * in[pixel + c];
    const double factor = 1 / std::sqrt(square / static_cast<double>(channels) + epsilon);
    for (std::size_t c = 0; c < channels; ++c) {
      out[pixel + c] += activated(activation, in[pixel + c] * factor * gamma[c] + beta[c]);
    }
  }
  store(out, y);
}

}  // namespace edt
