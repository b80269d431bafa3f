// A token of sample b is there where its place is below lengths[b].
#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {
namespace {

// f(sample, token, element of its features)
template <class F>
void for_each_feature(const Shape& shape, const Doubles& lengths, F f) {
  for (std::int64_t b = 0; b < shape[0]; ++b) {
    for (std::int64_t t = 0; t < static_cast<std::int64_t>(lengths[b]); ++t) {
      for (std::int64_t c = 0; c < shape[2]; ++c) f(b, t, c);
    }
  }
}

}  // namespace

void ReferenceBackend::text_tokens(T features, T lengths, T out) {
  const Doubles in = load(features), counts = load(lengths);
  const Shape& s = features.shape;
  Doubles result(in.size(), 0.0);
  for_each_feature(s, counts, [&](auto b, auto t, auto c) {
    const std::int64_t at = (b * s[1] + t) * s[2] + c;
    result[at] = in[at];
  });
  store(result, out);
}

void ReferenceBackend::text_mean(T features, T lengths, T out) {
  const Doubles in = load(features), counts = load(lengths);
  const Shape& s = features.shape;
  Doubles result(static_cast<std::size_t>(out.elements()), 0.0);
  for_each_feature(s, counts, [&](auto b, auto t, auto c) {
    result[b * s[2] + c] += in[(b * s[1] + t) * s[2] + c] / counts[b];
  });
  store(result, out);
}

}  // namespace edt
