// Rows of features are copied or summed by whole rows; samples are spread over the threads.
// Formulas: core/reference/text.cpp.
#include <algorithm>
#include <vector>

#include "core/cpu/elementwise.h"
#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"

namespace edt {
namespace {

struct Texts {
  std::int64_t batch, tokens, channels;
  const float* features;
  const std::int32_t* lengths;

  Texts(const Tensor& values, const Tensor& counts)
      : batch(values.shape[0]),
        tokens(values.shape[1]),
        channels(values.shape[2]),
        features(values.as<float>()),
        lengths(counts.as<std::int32_t>()) {}

  // Elements of the features of sample b that are there.
  std::int64_t present(std::int64_t b) const { return lengths[b] * channels; }
  float* of(std::int64_t b) const { return const_cast<float*>(features) + b * tokens * channels; }
};

}  // namespace

void CpuBackend::text_tokens(T features, T lengths, T out) {
  const Texts texts(features, lengths);
  const std::int64_t size = texts.tokens * texts.channels;
  const Span to{out.data, out.dtype};
  parallel_ranges(texts.batch, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      const std::int64_t present = texts.present(b);
      convert({texts.of(b)}, to.from(b * size), present);
      edt::fill(to.from(b * size + present), size - present, 0);
    }
  });
}

void CpuBackend::text_mean(T features, T lengths, T out) {
  const Texts texts(features, lengths);
  const Span to{out.data, out.dtype};
  parallel_ranges(texts.batch, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> sums(static_cast<std::size_t>(texts.channels));
    for (std::int64_t b = begin; b < end; ++b) {
      std::ranges::fill(sums, 0.f);
      const std::int64_t rows = texts.lengths[b];
      add_column_sums({texts.of(b)}, rows, texts.channels, texts.channels, sums.data());
      for (float& sum : sums) sum /= static_cast<float>(std::max<std::int64_t>(rows, 1));
      convert({sums.data()}, to.from(b * texts.channels), texts.channels);
    }
  });
}

}  // namespace edt
