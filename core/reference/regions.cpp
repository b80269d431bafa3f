// Values are moved: token l * ratio * run + j * run + i of a stream is place l * run + i of region
// j, behind those of the stream before it.
#include "core/ops/regions.h"

#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {
namespace {

// f(element of the stream [B, T, N], element of `joined`) for all elements of a stream of `tokens`
// tokens, behind `before` in each region.
template <class F>
void for_each_place(const Shape& joined, std::int64_t tokens, std::int64_t before,
                    std::int64_t ratio, std::int64_t run, F f) {
  const std::int64_t batch = joined[0] / ratio, width = joined[2];
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t token = 0; token < tokens; ++token) {
      const std::int64_t region = token % (ratio * run) / run;
      const std::int64_t place = token / (ratio * run) * run + token % run;
      const std::int64_t row = (b * ratio + region) * joined[1] + before + place;
      for (std::int64_t c = 0; c < width; ++c) {
        f((b * tokens + token) * width + c, row * width + c);
      }
    }
  }
}

}  // namespace

void ReferenceBackend::join_tokens(T a, T b, Int ratio, Int run, G joined) {
  const Shape& shape = joined.tensor.shape;
  const std::int64_t all = shape[1] * ratio;
  const std::int64_t first = a.defined() ? a.shape[1] : all - b.shape[1];
  Doubles to(static_cast<std::size_t>(joined.tensor.elements()), 0.0);
  const auto put = [&](T stream, std::int64_t tokens, std::int64_t before) {
    if (!stream.defined()) return;
    const Doubles from = load(stream);
    for_each_place(shape, tokens, before, ratio, run, [&](auto i, auto j) { to[j] = from[i]; });
  };
  put(a, first, 0);
  put(b, all - first, first / ratio);
  store(to, joined);
}

void ReferenceBackend::split_tokens(T joined, Int ratio, Int run, G a, G b) {
  const std::int64_t all = joined.shape[1] * ratio;
  const std::int64_t first = a.wanted()   ? a.tensor.shape[1]
                             : b.wanted() ? all - b.tensor.shape[1]
                                          : 0;
  const Doubles from = load(joined);
  const auto take = [&](G stream, std::int64_t tokens, std::int64_t before) {
    if (!stream.wanted()) return;
    Doubles to(static_cast<std::size_t>(stream.tensor.elements()));
    for_each_place(joined.shape, tokens, before, ratio, run,
                   [&](auto i, auto j) { to[i] = from[j]; });
    store(to, stream);
  };
  take(a, first, 0);
  take(b, all - first, first / ratio);
}

}  // namespace edt
