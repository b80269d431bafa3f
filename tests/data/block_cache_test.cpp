#include "data/block_cache.h"

#include <gtest/gtest.h>

#include <thread>

namespace edt::data {
namespace {

// How often each block was decoded.
struct Decoded {
  std::map<std::uint64_t, int> times;
  BlockCache::Block get(BlockCache& cache, std::uint64_t block, std::uint64_t bytes = 100) {
    return cache.get(this, block, bytes, [&](std::vector<std::byte>& out) {
      ++times[block];
      out.assign(out.size(), static_cast<std::byte>(block));
    });
  }
};

TEST(BlockCache, KeepsWhatWasUsedLastWithinItsBound) {
  BlockCache cache(350);
  Decoded decoded;
  for (const std::uint64_t block : {1, 2, 3, 1, 4, 1, 3}) {
    EXPECT_EQ((*decoded.get(cache, block))[99], static_cast<std::byte>(block));
    EXPECT_LE(cache.bytes(), 350u);
  }
  EXPECT_EQ(decoded.times, (std::map<std::uint64_t, int>{{1, 1}, {2, 1}, {3, 1}, {4, 1}}));
  decoded.get(cache, 2);  // left when 4 came
  EXPECT_EQ(decoded.times[2], 2);
  EXPECT_EQ(cache.bytes(), 300u);
}

TEST(BlockCache, ArraysDoNotShareBlocks) {
  BlockCache cache(1000);
  Decoded one, two;
  one.get(cache, 7);
  two.get(cache, 7);
  EXPECT_EQ(one.times[7] + two.times[7], 2);
}

TEST(BlockCache, ABlockBeyondTheBoundIsDecodedAndNotKept) {
  BlockCache cache(50);
  Decoded decoded;
  EXPECT_EQ(decoded.get(cache, 1)->size(), 100u);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(BlockCache, ADecodingThatFailsLeavesNothing) {
  BlockCache cache(1000);
  const auto fails = [](std::vector<std::byte>&) { throw std::runtime_error("damaged"); };
  EXPECT_THROW(cache.get(&cache, 1, 100, fails), std::runtime_error);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(BlockCache, SeveralThreads) {
  BlockCache cache(400);
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < 300; ++i) {
        const std::uint64_t block = i * 7 % 11;
        const auto got = cache.get(&cache, block, 100, [&](std::vector<std::byte>& out) {
          out.assign(out.size(), static_cast<std::byte>(block));
        });
        wrong += (*got)[0] != static_cast<std::byte>(block);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(cache.bytes(), 400u);
}

}  // namespace
}  // namespace edt::data
