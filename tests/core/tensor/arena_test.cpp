#include "core/tensor/arena.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <map>
#include <vector>

#include "core/random/stream.h"

namespace edt {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

// Random sizes and lifetimes, the same each time it runs; returns the addresses in order.
std::vector<void*> random_step(Arena& arena) {
  std::vector<void*> addresses, alive;
  for (std::uint32_t i = 0; i < 400; ++i) {
    const random::Counter words = random::block({.seed = 5}, i);
    if (!alive.empty() && words[0] % 5 < 2) {
      const std::size_t victim = words[1] % alive.size();
      arena.release(alive[victim]);
      alive.erase(alive.begin() + static_cast<std::ptrdiff_t>(victim));
    } else {
      const std::size_t size = words[2] % 16 == 0 ? words[3] % (6 * kMiB) : words[3] % 100000;
      alive.push_back(arena.allocate(size));
      addresses.push_back(alive.back());
    }
  }
  for (void* memory : alive) arena.release(memory);
  return addresses;
}

TEST(Arena, EveryStepHasTheAddressesOfTheFirst) {
  Arena arena(host_memory(), 2 * kMiB);
  const std::vector<void*> first = random_step(arena);
  const std::size_t reserved = arena.reserved_bytes();
  EXPECT_GT(reserved, 8 * kMiB);  // several slabs, or the test is too easy
  for (int step = 0; step < 3; ++step) {
    EXPECT_EQ(random_step(arena), first);
    EXPECT_EQ(arena.reserved_bytes(), reserved);
  }
}

// A younger slab that fits more tightly must not be preferred: the last block would then need a
// third slab in the second step.
TEST(Arena, YoungerSlabsDoNotChangeTheChoice) {
  Arena arena(host_memory(), 2 * kMiB);
  const auto step = [&] {
    void* whole = arena.allocate(20 * kMiB);
    arena.release(whole);
    void* a = arena.allocate(5 * kMiB);
    void* b = arena.allocate(16 * kMiB);
    void* c = arena.allocate(15 * kMiB);
    for (void* memory : {a, b, c}) arena.release(memory);
  };
  step();
  const std::size_t reserved = arena.reserved_bytes();
  EXPECT_EQ(reserved, 36 * kMiB);
  step();
  EXPECT_EQ(arena.reserved_bytes(), reserved);
}

TEST(Arena, BlocksAreAlignedAndDoNotOverlap) {
  Arena arena(host_memory(), 2 * kMiB);
  std::vector<std::pair<unsigned char*, std::size_t>> blocks;
  for (std::size_t i = 0; i < 200; ++i) {
    const std::size_t bytes = i * 331 % 40000;
    auto* memory = static_cast<unsigned char*>(arena.allocate(bytes));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % Arena::kAlignment, 0u);
    std::memset(memory, static_cast<int>(i), bytes);
    blocks.push_back({memory, bytes});
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    for (std::size_t j = 0; j < blocks[i].second; ++j) {
      ASSERT_EQ(blocks[i].first[j], static_cast<unsigned char>(i));
    }
    arena.release(blocks[i].first);
  }
}

TEST(Arena, NeighboursMergeInEveryOrder) {
  for (const auto& order :
       {std::array{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, std::array{2, 1, 0}}) {
    Arena arena(host_memory(), 3 * kMiB);  // rounded up to 4 MiB
    std::array<void*, 3> parts{};
    for (void*& part : parts) part = arena.allocate(kMiB);
    for (const int index : order) arena.release(parts[static_cast<std::size_t>(index)]);
    arena.release(arena.allocate(4 * kMiB));
    EXPECT_EQ(arena.reserved_bytes(), 4 * kMiB);
  }
}

TEST(Arena, CountsBytesInUseAndPeak) {
  Arena arena(host_memory(), 2 * kMiB);
  void* a = arena.allocate(1000);  // 1024 with alignment
  void* b = arena.allocate(1);     // 256
  EXPECT_EQ(arena.bytes_in_use(), 1280u);
  arena.release(a);
  EXPECT_EQ(arena.bytes_in_use(), 256u);
  EXPECT_EQ(arena.peak_bytes(), 1280u);
  arena.reset_peak();
  EXPECT_EQ(arena.peak_bytes(), 256u);
  arena.release(b);
  EXPECT_EQ(arena.bytes_in_use(), 0u);
}

TEST(Arena, RefusesMemoryThatIsNotItsOwn) {
  Arena arena(host_memory(), 2 * kMiB);
  void* memory = arena.allocate(10);
  arena.release(memory);
  EXPECT_ANY_THROW(arena.release(memory));
  int other = 0;
  EXPECT_ANY_THROW(arena.release(&other));
}

TEST(Memory, TooMuchIsAnErrorWithTheSize) {
  EXPECT_THROW(host_memory().reserve(std::numeric_limits<std::size_t>::max() / 4), std::exception);
}

}  // namespace
}  // namespace edt
