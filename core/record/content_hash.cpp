#include "core/record/content_hash.h"

#include <cstring>

#include "core/base/assert.h"

namespace edt {
namespace {

// The finalizer of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
// generators", OOPSLA 2014) of a word and its place.
std::uint64_t mixed(std::uint64_t word, std::uint64_t place) {
  std::uint64_t z = word + (place + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace

std::uint64_t content_hash(std::span<const std::byte> bytes, std::uint64_t first) {
  EDT_ASSERT(first % kHashWord == 0);
  constexpr std::int64_t kWordsOfOneThread = std::int64_t{1} << 15;
  const std::uint64_t begin = first / kHashWord;
  const auto words = static_cast<std::int64_t>(bytes.size() / kHashWord);
  std::uint64_t sum = 0;
#pragma omp parallel for reduction(+ : sum) schedule(static) if (words > kWordsOfOneThread)
  for (std::int64_t i = 0; i < words; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + static_cast<std::size_t>(i) * kHashWord, kHashWord);
    sum += mixed(word, begin + static_cast<std::uint64_t>(i));
  }
  if (const auto rest = bytes.subspan(static_cast<std::size_t>(words) * kHashWord); !rest.empty()) {
    std::uint64_t word = 0;
    std::memcpy(&word, rest.data(), rest.size());
    sum += mixed(word, begin + static_cast<std::uint64_t>(words));
  }
  return sum;
}

}  // namespace edt
