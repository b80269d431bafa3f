// Tokens are copied as a whole; threads share the tokens of all regions.
#include "core/ops/regions.h"

#include "core/cpu/elementwise.h"
#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"

namespace edt {
namespace {

// Where the tokens of joined [B * ratio, T, N] are in the streams that were joined.
struct Places {
  std::int64_t rows, tokens;       // of joined: B * ratio, T
  std::int64_t ratio, run, first;  // tokens of the first stream in a region

  // f(row of joined, whether it is of the first stream, row of that stream)
  template <class F>
  void for_each(F f) const {
    parallel_ranges(rows * tokens, 8, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t sample = row / tokens / ratio, region = row / tokens % ratio;
        const std::int64_t at = row % tokens;
        const bool is_first = at < first;
        const std::int64_t place = is_first ? at : at - first;
        const std::int64_t stream = ratio * (is_first ? first : tokens - first);
        f(row, is_first,
          sample * stream + place / run * (ratio * run) + region * run + place % run);
      }
    });
  }
};

Places places_of(const Tensor& joined, std::int64_t ratio, std::int64_t run, const Tensor& a,
                 const Tensor& b) {
  const std::int64_t first =
      a.defined() ? a.shape[1] / ratio : joined.shape[1] - b.shape[1] / ratio;
  return {joined.shape[0], joined.shape[1], ratio, run, first};
}

}  // namespace

void CpuBackend::join_tokens(T a, T b, Int ratio, Int run, G joined) {
  const std::int64_t n = joined.tensor.shape[2];
  const Span to{joined.tensor.data, joined.tensor.dtype};
  const Span first{a.data, a.dtype}, second{b.data, b.dtype};
  places_of(joined.tensor, ratio, run, a, b).for_each([&](auto row, bool is_first, auto from) {
    const Span& stream = is_first ? first : second;
    if (stream.data != nullptr) {
      convert(stream.from(from * n), to.from(row * n), n, joined.accumulate);
    } else if (!joined.accumulate) {
      edt::fill(to.from(row * n), n, 0.0f);
    }
  });
}

void CpuBackend::split_tokens(T joined, Int ratio, Int run, G a, G b) {
  if (!a.wanted() && !b.wanted()) return;
  const std::int64_t n = joined.shape[2];
  const Span from{joined.data, joined.dtype};
  const Span first{a.tensor.data, a.tensor.dtype}, second{b.tensor.data, b.tensor.dtype};
  places_of(joined, ratio, run, a.tensor, b.tensor).for_each([&](auto row, bool is_first, auto to) {
    const Span& stream = is_first ? first : second;
    if (stream.data == nullptr) return;
    convert(from.from(row * n), stream.from(to * n), n, is_first ? a.accumulate : b.accumulate);
  });
}

}  // namespace edt
