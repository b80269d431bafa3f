// The emulated instructions of sm_90a: products of warpgroups on every layout of their
// operands, boxes with their barriers, and that what is missing is seen.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <array>
#include <random>

#include "tests/core/cuda/emulation/emulation.h"
// After what it stands in for nvcc with.
#include "core/cuda/kernels/warpgroup.cuh"

namespace edt {
namespace {

constexpr int kRows = 64, kDepth = 16;
using Matrix = std::vector<float>;  // of values that bf16 has

Matrix random_matrix(std::size_t count, unsigned seed) {
  std::mt19937 numbers(seed);
  Matrix values(count);
  for (float& value : values) value = static_cast<float>(static_cast<int>(numbers() % 17) - 8) / 4;
  return values;
}

std::uint16_t half_of(float value) {
  return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
}

void run_block(const std::function<void()>& kernel, int threads = 128) {
  emulation::run({nullptr, "a test", dim3(1), threads, 32 * 1024}, nullptr, kernel);
}

// The left operand of a thread: rows of `a` [64, 16].
void take_left(const Matrix& a, unsigned (&left)[4]) {
  const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned row = warp * 16 + lane / 4 + i % 2 * 8, column = lane % 4 * 2 + i / 2 * 8;
    left[i] = half_of(a[row * kDepth + column]) |
              static_cast<unsigned>(half_of(a[row * kDepth + column + 1])) << 16;
  }
}

template <int N>
void give_result(const float (&c)[N / 8][4], Matrix& to) {
  const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  for (unsigned t = 0; t < N / 8; ++t) {
    for (unsigned i = 0; i < 4; ++i) {
      to[(warp * 16 + lane / 4 + i / 2 * 8) * N + t * 8 + lane % 4 * 2 + i % 2] = c[t][i];
    }
  }
}

// a [64, 16] b [16, N], by loops.
Matrix product(const Matrix& a, const Matrix& b, int n) {
  Matrix y(static_cast<std::size_t>(kRows * n));
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < n; ++j) {
      float& sum = y[static_cast<std::size_t>(i * n + j)];
      for (int k = 0; k < kDepth; ++k) {
        sum += a[static_cast<std::size_t>(i * kDepth + k)] * b[static_cast<std::size_t>(k * n + j)];
      }
    }
  }
  return y;
}

// Where the manual's figures have element (row, column) of rows of `row_bytes`, of which each eight
// are a pattern: its piece of 16 bytes changes its place with the row.
std::size_t place_in_rows(int row, int column, int row_bytes) {
  const int pieces = row_bytes / 16, change = row * row_bytes / 128 % pieces;
  const int piece = column / 8 ^ change;
  return static_cast<std::size_t>(row * row_bytes / 2 + piece * 8 + column % 8);
}

constexpr Swizzle swizzle_of(int row_bytes) {
  return row_bytes == 128  ? Swizzle::k128Bytes
         : row_bytes == 64 ? Swizzle::k64Bytes
                           : Swizzle::k32Bytes;
}

// b [16, N] times what thread by thread is in registers, from shared memory as `lay_out` fills it.
template <int N, bool kByColumns>
Matrix multiply(const Matrix& a, const std::function<void(std::uint16_t*)>& lay_out,
                const std::function<std::uint64_t(unsigned)>& operand) {
  Matrix y(kRows * N);
  run_block([&] {
    auto* const memory = reinterpret_cast<std::uint16_t*>(dynamic_shared());
    if (threadIdx.x == 0) {
      lay_out(memory);
      emulation::show_memory_to_products();
    }
    __syncthreads();
    unsigned left[4];
    take_left(a, left);
    float c[N / 8][4];
    std::fill(&c[0][0], &c[0][0] + N / 2, 1e3f);  // not read by the first
    fence_registers(left, c);
    multiply_async<N, kByColumns>(c, left, operand(shared_address(memory)), false);
    multiply_async<N, kByColumns>(c, left, operand(shared_address(memory)), true);
    commit_products();
    wait_for_products(c);
    give_result<N>(c, y);
  });
  return y;
}

Matrix twice(Matrix y) {
  for (float& value : y) value *= 2;
  return y;
}

// [n][k]: rows of memory are columns of b; 16 of their values are one product's, the second of a
// row where there are two.
template <int N>
void expect_k_major(int row_bytes, int step) {
  SCOPED_TRACE(fmt::format("rows of {} bytes, step {}", row_bytes, step));
  const Matrix a = random_matrix(kRows * kDepth, 1), b = random_matrix(kDepth * N, 2);
  const auto lay_out = [&](std::uint16_t* to) {
    for (int n = 0; n < N; ++n) {
      for (int k = 0; k < kDepth; ++k) {
        to[place_in_rows(n, step * kDepth + k, row_bytes)] =
            half_of(b[static_cast<std::size_t>(k * N + n)]);
      }
    }
  };
  const auto operand = [&](unsigned address) {
    const auto first =
        shared_operand(address, swizzle_of(row_bytes), 16, static_cast<unsigned>(8 * row_bytes));
    return further_on(first, static_cast<unsigned>(step * 32));
  };
  EXPECT_EQ((multiply<N, false>(a, lay_out, operand)), twice(product(a, b, N)));
}

// [k][n]: rows of memory are 16 values of k, in parts of as many columns as a row has.
template <int N>
void expect_n_major(int row_bytes) {
  SCOPED_TRACE(fmt::format("rows of {} bytes", row_bytes));
  const Matrix a = random_matrix(kRows * kDepth, 3), b = random_matrix(kDepth * N, 4);
  const int columns = row_bytes / 2;
  const auto lay_out = [&](std::uint16_t* to) {
    for (int k = 0; k < kDepth; ++k) {
      for (int n = 0; n < N; ++n) {
        to[static_cast<std::size_t>(n / columns * kDepth * columns) +
           place_in_rows(k, n % columns, row_bytes)] =
            half_of(b[static_cast<std::size_t>(k * N + n)]);
      }
    }
  };
  const auto operand = [&](unsigned address) {
    return shared_operand(address, swizzle_of(row_bytes), static_cast<unsigned>(kDepth * row_bytes),
                          static_cast<unsigned>(8 * row_bytes));
  };
  EXPECT_EQ((multiply<N, true>(a, lay_out, operand)), twice(product(a, b, N)));
}

TEST(Asynchronous, ProductsReadEveryLayout) {
  for (const int row_bytes : {128, 64, 32}) {
    for (int step = 0; step < row_bytes / 32; ++step) {
      expect_k_major<64>(row_bytes, step);
      expect_k_major<32>(row_bytes, step);
      expect_k_major<16>(row_bytes, step);
    }
    expect_n_major<64>(row_bytes);
    expect_n_major<16>(32);
  }
}

// A left operand [64, 16] in shared memory: rows of 128 bytes, 64 values of m for each k or the 16
// values of k of one m, the second 16 of a row where there are more.
template <bool kByColumns>
Matrix multiply_left(const Matrix& a, const Matrix& b, int step) {
  Matrix y(kRows * 64);
  run_block([&] {
    auto* const memory = reinterpret_cast<std::uint16_t*>(dynamic_shared());
    if (threadIdx.x == 0) {
      for (int m = 0; m < kRows; ++m) {
        for (int k = 0; k < kDepth; ++k) {
          const int row = kByColumns ? k : m, column = kByColumns ? m : step * kDepth + k;
          memory[place_in_rows(row, column, 128)] =
              half_of(a[static_cast<std::size_t>(m * kDepth + k)]);
        }
      }
      for (int k = 0; k < kDepth; ++k) {
        for (int n = 0; n < 64; ++n) {
          memory[4096 + place_in_rows(k, n, 128)] =
              half_of(b[static_cast<std::size_t>(k * 64 + n)]);
        }
      }
      emulation::show_memory_to_products();
    }
    __syncthreads();
    const unsigned at = shared_address(memory);
    const auto left = shared_operand(at, Swizzle::k128Bytes, 16, 1024),
               right = shared_operand(at + 8192, Swizzle::k128Bytes, 16, 1024);
    float c[8][4];
    fence_registers(c);
    multiply_shared_async<64, kByColumns, true>(
        c, further_on(left, static_cast<unsigned>(kByColumns ? 0 : step * 32)), right, false);
    commit_products();
    wait_for_products(c);
    give_result<64>(c, y);
  });
  return y;
}

TEST(Asynchronous, LeftOperandsInSharedMemoryLieEitherWay) {
  const Matrix a = random_matrix(kRows * kDepth, 6), b = random_matrix(kDepth * 64, 7);
  EXPECT_EQ(multiply_left<true>(a, b, 0), product(a, b, 64));
  for (int step = 0; step < 4; ++step) {
    EXPECT_EQ(multiply_left<false>(a, b, step), product(a, b, 64)) << step;
  }
}

TEST(Asynchronous, RowsOf128BytesAreThoseOfTheManual) {
  for (unsigned row = 0; row < 17; ++row) {
    for (unsigned column = 0; column < 64; ++column) {
      EXPECT_EQ(in_rows_of_128(row, column * 2),
                2 * place_in_rows(static_cast<int>(row), static_cast<int>(column), 128));
    }
  }
}

// Ones in all of shared memory, to four sums one after the other: what is there when two groups may
// still be under way, and at the end.
std::array<std::array<float, 4>, 2> sums_of_groups() {
  std::array<float, 4> early{}, late{};
  run_block([&] {
    auto* const memory = reinterpret_cast<std::uint16_t*>(dynamic_shared());
    if (threadIdx.x == 0) {
      std::fill(memory, memory + 8192, half_of(1));
      emulation::show_memory_to_products();
    }
    __syncthreads();
    const auto ones = shared_operand(shared_address(memory), Swizzle::k128Bytes, 16, 1024);
    float c[4][8][4] = {};
    fence_registers(c);
    multiply_shared_async<64, false, false>(c[0], ones, ones, true);
    multiply_shared_async<64, false, false>(c[1], ones, ones, true);
    commit_products();
    for (int group = 2; group < 4; ++group) {
      multiply_shared_async<64, false, false>(c[group], ones, ones, true);
      commit_products();
    }
    wait_for_products<2>(c[0], c[1]);
    for (std::size_t i = 0; i < 4; ++i) early[i] = c[i][0][0];
    wait_for_products(c[2], c[3]);
    for (std::size_t i = 0; i < 4; ++i) late[i] = c[i][0][0];
  });
  return {early, late};
}

TEST(Asynchronous, TheLastGroupsMayGoOn) {
  const std::array<float, 4> all{16, 16, 16, 16};
  EXPECT_THAT(sums_of_groups(), testing::ElementsAre(std::array<float, 4>{16, 16, 0, 0}, all));
  emulation::set_order(emulation::Order::kBackward);  // as early as may be
  EXPECT_THAT(sums_of_groups(), testing::ElementsAre(all, all));
  emulation::set_order(emulation::Order::kForward);
}

// Ones that each thread writes for products; what is not published is not seen.
Matrix multiply_stores(bool publishes) {
  Matrix y(kRows * 16);
  run_block([&] {
    const unsigned at = shared_address(dynamic_shared());
    if (threadIdx.x == 0) {
      std::memset(dynamic_shared(), 0, 16 * 32);
      emulation::show_memory_to_products();
    }
    __syncthreads();
    put_for_products(at + threadIdx.x * 4, 0x3f803f80u);
    if (publishes) publish_stores();
    __syncthreads();
    unsigned left[4];
    take_left(Matrix(kRows * kDepth, 1), left);
    float c[2][4];
    fence_registers(left, c);
    multiply_async<16, false>(c, left, shared_operand(at, Swizzle::k32Bytes, 16, 256), false);
    commit_products();
    wait_for_products(c);
    give_result<16>(c, y);
    if (!publishes) publish_stores();  // too late
  });
  return y;
}

TEST(Asynchronous, ProductsSeeWhatIsPublished) {
  EXPECT_EQ(multiply_stores(true), Matrix(kRows * 16, 16));
  EXPECT_NE(multiply_stores(false), Matrix(kRows * 16, 16));
}

// What a product reads and writes is its own until it is waited for.
TEST(Asynchronous, ProductsAreDoneWhenTheyAreWaitedFor) {
  const Matrix a = random_matrix(kRows * kDepth, 5);
  Matrix early(kRows * 16), late(kRows * 16);
  run_block([&] {
    auto* const memory = reinterpret_cast<std::uint16_t*>(dynamic_shared());
    if (threadIdx.x == 0) {
      std::fill(memory, memory + 16 * 16, half_of(1));
      emulation::show_memory_to_products();
    }
    __syncthreads();
    unsigned left[4];
    take_left(a, left);
    float c[2][4] = {};
    fence_registers(left, c);
    multiply_async<16, false>(
        c, left, shared_operand(shared_address(memory), Swizzle::k32Bytes, 16, 256), true);
    commit_products();
    give_result<16>(c, early);
    std::fill(left, left + 4, 0x40004000u);  // two, as bf16: too early
    wait_for_products(c);
    give_result<16>(c, late);
  });
  EXPECT_EQ(early, Matrix(kRows * 16, 0));
  EXPECT_EQ(late, Matrix(kRows * 16, 32));
}

struct Copy {
  Matrix seen;
  bool waits = true, publishes = true;
  unsigned bytes = 8 * 128;  // that are expected
  unsigned offset = 0;       // of where they go
};

// A box of eight rows and 64 columns at (1, 60) of an [9, 72] matrix.
void copy(Copy& how) {
  std::vector<std::uint16_t> matrix(9 * 72 + 8);
  auto* const base = reinterpret_cast<std::uint16_t*>(
      (reinterpret_cast<std::uintptr_t>(matrix.data()) + 15) / 16 * 16);
  for (int i = 0; i < 9 * 72; ++i) base[i] = half_of(static_cast<float>(i % 128));
  CUtensorMap map;
  ASSERT_TRUE(
      emulation::encode_map(map, base, {72, 9}, 72 * 2, {64, 8}, CU_TENSOR_MAP_SWIZZLE_128B));
  how.seen.assign(8 * 64, 0);
  run_block([&] {
    auto* const memory = dynamic_shared();
    auto* const barrier = reinterpret_cast<Barrier*>(memory + 8192);
    if (threadIdx.x == 0) {
      make_barrier(barrier, 1);
      if (how.publishes) publish_barriers();
      expect_bytes(barrier, how.bytes);
      copy_box(memory + how.offset, map, 60, 1, barrier);
    }
    __syncthreads();
    if (how.waits) wait_for_phase(barrier, 0);
    const auto* const halves = reinterpret_cast<const std::uint16_t*>(memory);
    for (int i = static_cast<int>(threadIdx.x); i < 8 * 64; i += 128) {
      const std::uint16_t half = halves[place_in_rows(i / 64, i % 64, 128)];
      how.seen[static_cast<std::size_t>(i)] =
          std::bit_cast<float>(static_cast<std::uint32_t>(half) << 16);
    }
  });
}

TEST(Asynchronous, BoxesArriveSwizzledWithZerosBeyondTheMatrix) {
  Copy how;
  copy(how);
  for (int r = 0; r < 8; ++r) {
    for (int c = 0; c < 64; ++c) {
      const int inside = (r + 1) * 72 + 60 + c;
      ASSERT_EQ(how.seen[static_cast<std::size_t>(r * 64 + c)],
                c < 12 ? static_cast<float>(inside % 128) : 0.0f)
          << r << ", " << c;
    }
  }
}

TEST(AsynchronousDeathTest, BoxesAreWaitedFor) {
  const auto with = [](auto change) {
    return [change] {
      Copy how;
      change(how);
      copy(how);
    };
  };
  EXPECT_DEATH(with([](Copy& how) { how.waits = false; })(), "ended with boxes under way");
  EXPECT_DEATH(with([](Copy& how) { how.publishes = false; })(),
               "a barrier that was not published");
  EXPECT_DEATH(with([](Copy& how) { how.bytes += 2; })(), "a barrier that the others do not reach");
  EXPECT_DEATH(with([](Copy& how) { how.offset = 128; })(), "not aligned to its swizzle");
}

// One product that `change` does something to, by each thread.
template <class Change>
void multiply_with(Change change, int threads = 128) {
  run_block(
      [&] {
        unsigned left[4] = {};
        float c[2][4] = {};
        change(c, left,
               shared_operand(shared_address(dynamic_shared()), Swizzle::k32Bytes, 16, 256));
      },
      threads);
}

TEST(AsynchronousDeathTest, ProductsAreFencedAndWaitedForByWholeGroups) {
  EXPECT_DEATH(multiply_with([](auto& c, auto& left, std::uint64_t b) {
                 multiply_async<16, false>(c, left, b, true);
               }),
               "no fence of its registers");
  const auto again = [](auto& c, auto& left, std::uint64_t b) {
    fence_registers(left, c);
    multiply_async<16, false>(c, left, b, true);
    commit_products();
    wait_for_products(c);
    multiply_async<16, false>(c, left, b, true);
  };
  EXPECT_DEATH(multiply_with(again), "no fence of its registers");
  const auto other = [](auto& c, auto& left, std::uint64_t b) {
    fence_registers(c);
    multiply_async<16, false>(c, left, b, true);
  };
  EXPECT_DEATH(multiply_with(other), "no fence of its registers");
  const auto accumulator = [](auto& c, auto& left, std::uint64_t b) {
    fence_registers(left);
    multiply_async<16, false>(c, left, b, true);
  };
  EXPECT_DEATH(multiply_with(accumulator), "no fence of its registers");
  const auto forgotten = [](auto& c, auto& left, std::uint64_t b) {
    fence_registers(left, c);
    multiply_async<16, false>(c, left, b, true);
    commit_products();
  };
  EXPECT_DEATH(multiply_with(forgotten), "ended with products under way");
  const auto not_committed = [](auto& c, auto& left, std::uint64_t b) {
    fence_registers(left, c);
    multiply_async<16, false>(c, left, b, true);
    wait_for_products(c);
  };
  EXPECT_DEATH(multiply_with(not_committed), "ended with products under way");
  const auto own = [](auto& c, auto& left, std::uint64_t b) {
    fence_registers(left, c);
    multiply_async<16, false>(c, left, further_on(b, threadIdx.x / 32 * 256), true);
    commit_products();
    wait_for_products(c);
  };
  EXPECT_DEATH(multiply_with(own), "warps of a group asked for different products");
  EXPECT_DEATH(multiply_with(forgotten, 64), "a block of parts of them");
  const auto unpublished = [](auto&, auto&, std::uint64_t) {
    put_for_products(shared_address(dynamic_shared()), 0);
  };
  EXPECT_DEATH(multiply_with(unpublished), "ended with unpublished stores");
}

// What cuTensorMapEncodeTiled's manual asks for.
TEST(Asynchronous, MapsDescribeWhatTheEngineCanReach) {
  alignas(16) static std::uint16_t data[64];
  struct Asked {
    std::size_t offset = 0;
    cuuint64_t columns = 64, stride = 128;
    cuuint32_t box_columns = 64, box_rows = 1;
    CUtensorMapSwizzle swizzle = CU_TENSOR_MAP_SWIZZLE_128B;
  };
  const auto is_granted = [](const Asked& asked) {
    CUtensorMap map;
    return emulation::encode_map(map, data + asked.offset, {asked.columns, 1}, asked.stride,
                                 {asked.box_columns, asked.box_rows}, asked.swizzle);
  };
  EXPECT_TRUE(is_granted({}));
  EXPECT_FALSE(is_granted({.offset = 4}));                   // at 8 bytes
  EXPECT_FALSE(is_granted({.columns = 52, .stride = 104}));  // a head's rows
  EXPECT_FALSE(is_granted({.columns = 72, .stride = 128}));  // rows that overlap
  EXPECT_FALSE(is_granted({.box_columns = 52}));             // 104 bytes
  EXPECT_FALSE(is_granted({.box_rows = 257}));
  EXPECT_FALSE(is_granted({.swizzle = CU_TENSOR_MAP_SWIZZLE_32B}));  // rows beyond it
}

}  // namespace
}  // namespace edt
