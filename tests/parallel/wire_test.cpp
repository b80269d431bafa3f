#include "parallel/comm/wire.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/random/stream.h"

namespace edt {
namespace {

using Values = std::vector<float>;

Values normal(std::size_t count, std::uint32_t seed = 3) {
  Values values(count);
  random::fill_normal({.seed = seed}, values);
  return values;
}

Values received(Wire wire, const Values& sent) {
  std::vector<std::byte> bytes(wire_bytes(wire, sent.size() * sizeof(float)));
  encode(wire, sent, bytes);
  Values sum(sent.size(), 0);
  decode_onto(wire, bytes, sum);
  return sum;
}

constexpr Wire kRounding[] = {Wire::kBFloat16, Wire::kBFloat16Once, Wire::kInt8};

TEST(Wire, HasTheBytesThatTravel) {
  EXPECT_EQ(wire_bytes(Wire::kExact, 4096), 4096u);
  EXPECT_EQ(wire_bytes(Wire::kBFloat16, 4096), 2048u);
  EXPECT_EQ(wire_bytes(Wire::kInt8, 4096), 1024u + 4 * 4);
  EXPECT_EQ(wire_bytes(Wire::kInt8, 4 * 257), 257u + 2 * 4) << "the last block may be short";
  EXPECT_EQ(wire_share(Wire::kInt8), 260.0 / 1024);
}

TEST(Wire, CarriesWhatRoundingLeaves) {
  for (const Wire wire : kRounding) {
    for (const std::size_t count : {1u, 2u, 255u, 256u, 257u, 5000u}) {
      const Values sent = normal(count);
      Values rounded = sent;
      round_as(wire, rounded);
      EXPECT_EQ(received(wire, sent), rounded) << count;
      EXPECT_EQ(received(wire, rounded), rounded) << "rounding again changes something";
    }
  }
}

// Half a step of 127 to the largest of the block, and two roundings of float32.
TEST(Wire, Int8IsAsNearAsItsBlockAllows) {
  const Values sent = normal(10 * kInt8Block), found = received(Wire::kInt8, sent);
  for (std::size_t begin = 0; begin < sent.size(); begin += kInt8Block) {
    float largest = 0;
    for (std::size_t i = begin; i < begin + kInt8Block; ++i) {
      largest = std::max(largest, std::abs(sent[i]));
    }
    for (std::size_t i = begin; i < begin + kInt8Block; ++i) {
      EXPECT_LE(std::abs(found[i] - sent[i]), largest / 254 * 1.0001f);
    }
  }
}

// A block of large numbers takes nothing from its neighbours.
TEST(Wire, Int8BlocksHaveScalesOfTheirOwn) {
  Values sent = normal(3 * kInt8Block);
  Values apart = sent;
  for (std::size_t i = kInt8Block; i < 2 * kInt8Block; ++i) sent[i] *= 1e6f;
  const Values found = received(Wire::kInt8, sent), expected = received(Wire::kInt8, apart);
  for (std::size_t i = 0; i < kInt8Block; ++i) {
    EXPECT_EQ(found[i], expected[i]);
    EXPECT_EQ(found[2 * kInt8Block + i], expected[2 * kInt8Block + i]);
  }
}

TEST(Wire, ZeroAndTinyBlocksAreZero) {
  EXPECT_EQ(received(Wire::kInt8, Values(300, 0)), Values(300, 0));
  EXPECT_EQ(received(Wire::kInt8, Values(300, 1e-45f)), Values(300, 0));
}

// Training looks for numbers that are not finite: they must arrive.
TEST(Wire, WhatIsNotFiniteIsSeen) {
  for (const float bad :
       {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
        std::numeric_limits<float>::quiet_NaN()}) {
    for (const Wire wire : kRounding) {
      Values sent = normal(2 * kInt8Block);
      sent[5] = bad;
      const Values found = received(wire, sent);
      EXPECT_FALSE(std::isfinite(found[5]));
      EXPECT_TRUE(std::isfinite(found[kInt8Block]));
    }
  }
}

}  // namespace
}  // namespace edt
