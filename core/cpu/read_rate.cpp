#include "core/cpu/read_rate.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/base/clock.h"
#include "core/cpu/parallel.h"

namespace edt {
namespace {

constexpr std::int64_t kWords = (512 << 20) / static_cast<std::int64_t>(sizeof(std::uint64_t));
constexpr std::int64_t kLine = 8;  // words

// One word of each cache line brings the line, and no more work than that.
std::uint64_t touch(const std::uint64_t* words, Range range) {
  std::uint64_t sum[4] = {};
  std::int64_t i = range.begin;
  for (; i + 4 * kLine <= range.end; i += 4 * kLine) {
    for (int j = 0; j < 4; ++j) sum[j] += words[i + j * kLine];
  }
  return std::accumulate(sum, sum + 4, std::uint64_t{0});
}

}  // namespace

CpuReadRate::CpuReadRate()
    : words_(std::make_unique_for_overwrite<std::uint64_t[]>(static_cast<std::size_t>(kWords))) {
  parallel_parts(kWords, kLine, [&](std::int64_t, Range range) {
    std::fill_n(words_.get() + range.begin, range.size(), std::uint64_t{1});
  });
}

double CpuReadRate::measure() {
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(thread_count()));
  const auto begin = Clock::now();
  parallel_parts(kWords, kLine, [&](std::int64_t part, Range range) {
    sums[static_cast<std::size_t>(part)] = touch(words_.get(), range);
  });
  const double seconds = seconds_since(begin);
  sum_ += std::accumulate(sums.begin(), sums.end(), std::uint64_t{0});
  return static_cast<double>(kWords * static_cast<std::int64_t>(sizeof(std::uint64_t))) / seconds;
}

}  // namespace edt
