// The hash of recorded values: parts add up, and neither a bit nor a place can change unseen.
#include <gtest/gtest.h>

#include <vector>

#include "core/random/stream.h"
#include "core/record/content_hash.h"

namespace edt {
namespace {

std::vector<float> drawn(std::size_t count) {
  std::vector<float> values(count);
  random::fill_normal({.seed = 3}, values);
  return values;
}

std::uint64_t hash_of(std::span<const float> values, std::uint64_t first = 0) {
  return content_hash(std::as_bytes(values), first * sizeof(float));
}

TEST(ContentHash, OfPartsAddsUp) {
  const std::vector<float> values = drawn(100003);  // an odd number, over several threads
  const std::span<const float> all(values);
  for (const std::size_t cut :
       {std::size_t{0}, std::size_t{16}, std::size_t{4096}, all.size() - 1}) {
    EXPECT_EQ(hash_of(all.first(cut / 2 * 2)) + hash_of(all.subspan(cut / 2 * 2), cut / 2 * 2),
              hash_of(all))
        << cut;
  }
}

TEST(ContentHash, SeesEveryBitAndPlace) {
  std::vector<float> values = drawn(33);
  const std::uint64_t before = hash_of(values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float kept = values[i];
    values[i] = -kept;  // one bit
    EXPECT_NE(hash_of(values), before) << i;
    values[i] = kept;
  }
  std::swap(values[2], values[30]);
  EXPECT_NE(hash_of(values), before);
}

TEST(ContentHash, SeesZerosAndTheirSign) {
  const std::vector<float> zeros(8), more(10);
  EXPECT_NE(hash_of(zeros), hash_of(more));
  std::vector<float> negative(8);
  negative[7] = -0.f;
  EXPECT_NE(hash_of(zeros), hash_of(negative));
  EXPECT_NE(hash_of(zeros), 0u);
}

}  // namespace
}  // namespace edt
