#include "collective_cases.h"

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <thread>

#include "parallel/comm/rank_groups.h"
#include "parallel/comm/wire.h"
#include "tests/support/message_of.h"

namespace edt::test {
namespace {

using ::testing::HasSubstr;

// Around the limits of messages (64 Ki floats), of small all_reduces (4 Ki floats), and awkward.
constexpr std::int64_t kSizes[] = {0, 1, 3, 7, 1000, 4096, 4099, 65536, 150007};

// Numbers whose sums depend on the order of additions; any rank can compute any other's.
template <class T>
T value_of(int rank, std::int64_t i) {
  auto bits =
      static_cast<std::uint32_t>(i * 2654435761u + static_cast<std::uint32_t>(rank) * 40503u);
  bits ^= bits >> 15;
  bits *= 0x2c1b3c6du;
  bits ^= bits >> 13;
  if constexpr (std::is_integral_v<T>) return static_cast<T>(bits >> 8) - (1 << 22);
  const double scale = (1 << bits % 17) / 256.0;
  return static_cast<T>(scale * (static_cast<double>(bits >> 9) / (1 << 22) - 1.0));
}

template <class T>
std::vector<T> values_of(int rank, std::int64_t elements) {
  std::vector<T> values(static_cast<std::size_t>(elements));
  for (std::int64_t i = 0; i < elements; ++i) {
    values[static_cast<std::size_t>(i)] = value_of<T>(rank, i);
  }
  return values;
}

template <class T>
Tensor tensor_of(std::vector<T>& values) {
  return view_of(std::span<T>(values), {static_cast<std::int64_t>(values.size())});
}

// The promised sum, written without any communication: neighbours are added for as long as there is
// an even number of them, what is left from left to right.
template <class T>
T tree_sum(std::vector<T>& terms) {
  std::size_t left = terms.size();
  for (; left % 2 == 0; left /= 2) {
    for (std::size_t i = 0; i < left; i += 2) terms[i / 2] = terms[i] + terms[i + 1];
  }
  return std::accumulate(terms.begin() + 1, terms.begin() + static_cast<std::ptrdiff_t>(left),
                         terms[0]);
}

template <class T>
std::vector<T> expected_sums(int ranks, std::int64_t elements) {
  std::vector<T> sums(static_cast<std::size_t>(elements)), terms(static_cast<std::size_t>(ranks));
  for (std::int64_t i = 0; i < elements; ++i) {
    for (int r = 0; r < ranks; ++r) terms[static_cast<std::size_t>(r)] = value_of<T>(r, i);
    sums[static_cast<std::size_t>(i)] = tree_sum(terms);
  }
  return sums;
}

template <class T>
::testing::AssertionResult same_bits(std::span<const T> a, std::span<const T> b) {
  if (a.size() != b.size()) {
    return ::testing::AssertionFailure() << a.size() << " and " << b.size() << " elements";
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    using Bytes = std::array<std::byte, sizeof(T)>;
    if (std::bit_cast<Bytes>(a[i]) != std::bit_cast<Bytes>(b[i])) {
      return ::testing::AssertionFailure() << "element " << i << ": " << +a[i] << ", " << +b[i];
    }
  }
  return ::testing::AssertionSuccess();
}

template <class T>
void check_sums_of(Communicator& ranks) {
  for (const std::int64_t elements : kSizes) {
    SCOPED_TRACE(fmt::format("{} x {}, {}", elements, name_of(dtype_of<T>), ranks.name()));
    const std::vector<T> expected = expected_sums<T>(ranks.size(), elements);
    std::vector<T> values = values_of<T>(ranks.rank(), elements);
    ranks.all_reduce(tensor_of(values), Reduce::kSum, "values");
    EXPECT_TRUE(same_bits<T>(values, expected));

    const std::int64_t part = elements / ranks.size();
    std::vector<T> whole = values_of<T>(ranks.rank(), part * ranks.size());
    std::vector<T> own(static_cast<std::size_t>(part));
    ranks.reduce_scatter(tensor_of(whole), tensor_of(own), Reduce::kSum, "values");
    EXPECT_TRUE(same_bits<T>(own, std::span(expected).subspan(
                                      static_cast<std::size_t>(part * ranks.rank()), own.size())));
  }
}

template <class T>
void check_extremes_of(Communicator& ranks) {
  std::vector<T> low = values_of<T>(ranks.rank(), 5001), high = low;
  ranks.all_reduce(tensor_of(low), Reduce::kMin, "lowest");
  ranks.all_reduce(tensor_of(high), Reduce::kMax, "highest");
  for (std::size_t i = 0; i < low.size(); ++i) {
    T lowest = value_of<T>(0, static_cast<std::int64_t>(i)), highest = lowest;
    for (int r = 1; r < ranks.size(); ++r) {
      lowest = std::min(lowest, value_of<T>(r, static_cast<std::int64_t>(i)));
      highest = std::max(highest, value_of<T>(r, static_cast<std::int64_t>(i)));
    }
    ASSERT_EQ(low[i], lowest);
    ASSERT_EQ(high[i], highest);
  }
}

// Parts of unequal size, some of them empty, and memory before and after that stays as it is. The
// last ones are as long as a message, and longer.
std::vector<std::int64_t> scales(int ranks) { return {1, 500, 80001 / ranks}; }
std::vector<std::int64_t> unequal_bounds(int ranks, std::int64_t scale) {
  std::vector<std::int64_t> bounds{3};
  for (int r = 0; r < ranks; ++r)
    bounds.push_back(bounds.back() + (r % 3 == 1 ? 0 : (r + 1) * scale));
  return bounds;
}

}  // namespace

void check_sums(Communicator& ranks) {
  check_sums_of<float>(ranks);
  check_sums_of<double>(ranks);
  check_sums_of<std::int32_t>(ranks);
}

void check_other_reductions(Communicator& ranks) {
  check_extremes_of<float>(ranks);
  check_extremes_of<double>(ranks);
  check_extremes_of<std::int32_t>(ranks);
  std::vector<std::int32_t> flags(64);
  flags[static_cast<std::size_t>(ranks.rank())] = 4;
  ranks.all_reduce(tensor_of(flags), Reduce::kOr, "flags");
  for (std::size_t i = 0; i < flags.size(); ++i) {
    EXPECT_EQ(flags[i] != 0, static_cast<int>(i) < ranks.size());
  }
  // NaN of one rank reaches all.
  float value = ranks.rank() == ranks.size() - 1 ? std::nanf("") : 1.0f;
  EXPECT_TRUE(std::isnan(ranks.all_reduce_value(value, Reduce::kMax, "a NaN")));
  EXPECT_TRUE(std::isnan(ranks.all_reduce_value(value, Reduce::kMin, "a NaN")));
  // Numbers that bf16 holds, and sums that it holds too.
  std::vector<bfloat16> rounded(100, bfloat16(static_cast<float>(ranks.rank() + 1)));
  ranks.all_reduce(tensor_of(rounded), Reduce::kSum, "bf16");
  EXPECT_EQ(static_cast<float>(rounded[99]),
            static_cast<float>(ranks.size() * (ranks.size() + 1)) / 2);
}

void check_parts(Communicator& ranks) {
  for (const std::int64_t scale : scales(ranks.size())) {
    SCOPED_TRACE(fmt::format("scale {}, {}", scale, ranks.name()));
    const auto bounds = unequal_bounds(ranks.size(), scale);
    const std::int64_t elements = bounds.back() + 2;
    std::vector<float> values = values_of<float>(ranks.rank(), elements);
    const std::vector<float> before = values, sums = expected_sums<float>(ranks.size(), elements);
    ranks.reduce_scatter_parts(tensor_of(values), bounds, Wire::kExact, "gradients");
    const auto slice = [&](const std::vector<float>& all, std::int64_t begin, std::int64_t end) {
      return std::span(all).subspan(static_cast<std::size_t>(begin),
                                    static_cast<std::size_t>(end - begin));
    };
    const auto rank = static_cast<std::size_t>(ranks.rank());
    EXPECT_TRUE(same_bits(slice(values, bounds[rank], bounds[rank + 1]),
                          slice(sums, bounds[rank], bounds[rank + 1])));
    EXPECT_TRUE(same_bits(slice(values, 0, 3), slice(before, 0, 3)));
    EXPECT_TRUE(
        same_bits(slice(values, elements - 2, elements), slice(before, elements - 2, elements)));

    ranks.all_gather_parts(tensor_of(values), bounds, "parameters");
    EXPECT_TRUE(same_bits(slice(values, 3, bounds.back()), slice(sums, 3, bounds.back())));
    EXPECT_TRUE(same_bits(slice(values, 0, 3), slice(before, 0, 3)));
  }
}

// By halves, onto a sum that is there already, and without one; what is others' stays as it is.
void check_groups(Communicator& ranks) {
  const int size = ranks.size(), self = ranks.rank();
  int group = 1;  // ranks of one
  while (size % (2 * group) == 0) group *= 2;
  for (const std::int64_t scale : scales(size)) {
    SCOPED_TRACE(fmt::format("scale {}, {}", scale, ranks.name()));
    const auto bounds = unequal_bounds(size, scale);
    const auto begin = bounds[static_cast<std::size_t>(self)];
    const std::int64_t count = bounds[static_cast<std::size_t>(self) + 1] - begin;
    for (const bool onto : {false, true}) {
      std::vector<float> values = values_of<float>(self, bounds.back());
      ranks.reduce_groups(tensor_of(values), bounds, Wire::kExact, "gradients");
      const std::vector<Tensor> parts = group_parts(tensor_of(values), bounds, self);
      const std::vector<float> of_group = values;
      std::vector<float> before = values_of<float>(99, count);
      ranks.fold_groups(parts, onto ? tensor_of(before) : Tensor{}, Wire::kExact, "gradients");
      for (std::int64_t i = 0; i < bounds.back(); ++i) {
        const auto at = static_cast<std::size_t>(i);
        const bool is_own = i >= begin && i < begin + count;
        if (!is_own) {
          ASSERT_EQ(values[at], of_group[at]);
          continue;
        }
        float sum = onto ? before[static_cast<std::size_t>(i - begin)] : 0;
        for (int first = 0; first < size; first += group) {
          std::vector<float> terms;
          for (int r = first; r < first + group; ++r) terms.push_back(value_of<float>(r, i));
          const float term = tree_sum(terms);
          sum = first == 0 && !onto ? term : sum + term;
          if (first == self / group * group) {
            ASSERT_EQ(of_group[at], term) << i;
          }
        }
        ASSERT_EQ(values[at], sum) << i;
      }
    }
  }
}

void check_bfloat16_wire(Communicator& ranks) {
  const auto rounded = [](float value) { return static_cast<float>(bfloat16(value)); };
  const std::int64_t part = 150001;
  std::vector<std::int64_t> bounds;
  for (int r = 0; r <= ranks.size(); ++r) bounds.push_back(r * part);
  std::vector<float> values = values_of<float>(ranks.rank(), bounds.back());
  ranks.reduce_scatter_parts(tensor_of(values), bounds, Wire::kBFloat16, "gradients");
  const int size = ranks.size(), self = ranks.rank();
  int group = 1;  // ranks of one
  while (size % (2 * group) == 0) group *= 2;
  for (std::int64_t i = bounds[static_cast<std::size_t>(self)];
       i < bounds[static_cast<std::size_t>(self) + 1]; ++i) {
    std::vector<float> terms;
    for (int r = 0; r < size; ++r) terms.push_back(value_of<float>(r, i));
    // The operand of this part's way through the tree stays float32, the other one has travelled.
    for (int bit = 1; bit < group; bit *= 2) {
      std::vector<float> next = terms;
      for (int r = 0; r < size; ++r) {
        const auto peer = static_cast<std::size_t>(r ^ bit);
        next[static_cast<std::size_t>(r)] =
            terms[static_cast<std::size_t>(r)] + rounded(terms[peer]);
      }
      terms = next;
    }
    float sum = 0;
    for (int r = self % group; r < size; r += group) {
      const float term = terms[static_cast<std::size_t>(r)];
      sum += r == self ? term : rounded(term);
    }
    ASSERT_EQ(values[static_cast<std::size_t>(i)], sum) << i;
  }
}

void check_wires_that_round_once(Communicator& ranks) {
  const std::int64_t part = 150001;
  std::vector<std::int64_t> bounds;
  for (int r = 0; r <= ranks.size(); ++r) bounds.push_back(r * part);
  const auto self = static_cast<std::size_t>(ranks.rank());
  for (const Wire wire : {Wire::kBFloat16Once, Wire::kInt8}) {
    std::vector<float> values = values_of<float>(ranks.rank(), bounds.back());
    ranks.reduce_scatter_parts(tensor_of(values), bounds, wire, "gradients");
    // Of each rank what a message of it becomes: messages are as long as a few blocks of numbers.
    std::vector<float> sum;
    for (int r = 0; r < ranks.size(); ++r) {
      const std::vector<float> all = values_of<float>(r, bounds.back());
      std::vector<float> term(all.begin() + bounds[self], all.begin() + bounds[self + 1]);
      if (r != ranks.rank()) round_as(wire, term);
      if (sum.empty()) {
        sum = term;
        continue;
      }
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += term[i];
    }
    for (std::size_t i = 0; i < sum.size(); ++i) {
      ASSERT_EQ(values[static_cast<std::size_t>(bounds[self]) + i], sum[i]) << i;
    }
    EXPECT_THROW(ranks.reduce_groups(tensor_of(values), bounds, wire, "groups"),
                 CommunicationError);
  }
}

void check_gathers_and_broadcasts(Communicator& ranks) {
  for (const std::int64_t elements : kSizes) {
    std::vector<float> own = values_of<float>(ranks.rank(), elements);
    std::vector<float> all(own.size() * static_cast<std::size_t>(ranks.size()));
    ranks.all_gather(tensor_of(own), tensor_of(all), "values");
    for (int r = 0; r < ranks.size(); ++r) {
      EXPECT_TRUE(same_bits<float>(
          std::span(all).subspan(static_cast<std::size_t>(r) * own.size(), own.size()),
          values_of<float>(r, elements)));
    }
    const int root = static_cast<int>(elements) % ranks.size();
    ranks.broadcast(tensor_of(own), root, "values");
    EXPECT_TRUE(same_bits<float>(own, values_of<float>(root, elements)));
  }
  for (int root = 0; root < ranks.size(); ++root) {
    const std::string word(static_cast<std::size_t>(ranks.rank()) * 200000,
                           static_cast<char>('a' + ranks.rank()));
    const auto words = ranks.gather(word, root, "words");
    ASSERT_EQ(words.size(), ranks.rank() == root ? static_cast<std::size_t>(ranks.size()) : 0u);
    for (std::size_t r = 0; r < words.size(); ++r) {
      EXPECT_EQ(words[r], std::string(r * 200000, static_cast<char>('a' + static_cast<int>(r))));
    }
    const std::string heard = ranks.broadcast(word, root, "a word");
    EXPECT_EQ(heard.size(), static_cast<std::size_t>(root) * 200000);
  }
  ranks.barrier("the end");
}

void check_messages(Communicator& ranks) {
  if (ranks.size() == 1) return;
  const int next = (ranks.rank() + 1) % ranks.size();
  const int previous = (ranks.rank() + ranks.size() - 1) % ranks.size();
  std::vector<float> own = values_of<float>(ranks.rank(), 100000), other(own.size());
  const auto before = ranks.collectives();
  if (ranks.rank() % 2 == 0) ranks.send(tensor_of(own), next, "to the next");
  ranks.receive(tensor_of(other), previous, "from the previous");
  if (ranks.rank() % 2 == 1) ranks.send(tensor_of(own), next, "to the next");
  EXPECT_TRUE(same_bits<float>(other, values_of<float>(previous, 100000)));
  EXPECT_EQ(ranks.collectives(), before) << "messages between two ranks are no collectives";
}

void check_split(Communicator& ranks) {
  const int color = ranks.rank() % 2;
  const auto part = ranks.split(color, -ranks.rank(), "every second");  // in reverse order
  EXPECT_EQ(part->label(), "every second");
  EXPECT_EQ(part->size(), (ranks.size() + 1 - color) / 2);
  EXPECT_EQ(part->rank(), part->size() - 1 - ranks.rank() / 2);
  EXPECT_EQ(part->timeout(), ranks.timeout());
  int sum = 0;
  for (int r = color; r < ranks.size(); r += 2) sum += r;
  EXPECT_EQ(part->all_reduce_value(ranks.rank(), Reduce::kSum, "ranks"), sum);
  // The communicator and what was split from it do not disturb each other; a second split neither.
  const auto same = ranks.split(0, 0, "all");
  EXPECT_EQ(same->rank(), ranks.rank());
  EXPECT_EQ(same->all_reduce_value(1, Reduce::kSum, "ones"), ranks.size());
  EXPECT_EQ(ranks.all_reduce_value(1, Reduce::kSum, "ones"), ranks.size());
}

void check_side_channel(Communicator& ranks) {
  const auto side_channel = ranks.side_channel("messages");
  EXPECT_FALSE(side_channel->poll());
  ranks.barrier("nobody has written");
  for (int to = 0; to < ranks.size(); ++to) {
    side_channel->post(to, fmt::format("first from {}", ranks.rank()));
    side_channel->post(to, std::string(100000, 'x'));
  }
  std::vector<int> heard(static_cast<std::size_t>(ranks.size()));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (int count = 0; count < 2 * ranks.size() && std::chrono::steady_clock::now() < end;) {
    const auto message = side_channel->poll();
    if (!message) {
      std::this_thread::yield();
      continue;
    }
    const bool first = heard[static_cast<std::size_t>(message->from)]++ == 0;
    EXPECT_EQ(message->bytes,
              first ? fmt::format("first from {}", message->from) : std::string(100000, 'x'));
    ++count;
  }
  EXPECT_THAT(heard, ::testing::Each(2));
  ranks.barrier("all messages are read");
}

void check_timeout(Communicator& ranks) {
  if (ranks.size() == 1) return;
  const auto copy = ranks.split(0, 0, "data");
  copy->set_timeout(Seconds(0.2));
  if (ranks.rank() != 1) {
    std::vector<float> values(1000);
    const std::string message = test::message_of<CommunicationError>(
        [&] { copy->all_reduce(tensor_of(values), Reduce::kSum, "gradients of blocks.3"); });
    EXPECT_THAT(message,
                HasSubstr(fmt::format("[all_reduce] \"gradients of blocks.3\", #1 of \"data\": {}",
                                      copy->name())));
    EXPECT_THAT(message, HasSubstr("waited 0.2 s for rank "));
  }
  ranks.barrier("all have waited");
}

void check_disagreement(Communicator& ranks) {
  if (ranks.size() == 1) return;
  const auto copy = ranks.split(0, 0, "data");
  copy->set_timeout(Seconds(0.2));
  std::vector<float> values(1000);
  const std::string message = test::message_of<CommunicationError>([&] {
    if (ranks.rank() == 0) copy->broadcast(tensor_of(values), 1, "weights");
    if (ranks.rank() != 0) copy->all_reduce(tensor_of(values), Reduce::kSum, "gradients");
  });
  EXPECT_THAT(message, HasSubstr("waited 0.2 s"));
  ranks.barrier("all have noticed");
}

void check_concurrent_communicators(Communicator& ranks) {
  const auto first = ranks.split(0, 0, "first"), second = ranks.split(0, 0, "second");
  const auto work = [&](Communicator& own, float factor) {
    for (int round = 0; round < 20; ++round) {
      std::vector<float> values(10000, factor * static_cast<float>(ranks.rank() + round));
      own.all_reduce(tensor_of(values), Reduce::kSum, "values");
      const int n = ranks.size(), of_ranks = n * (n - 1) / 2;
      EXPECT_EQ(values[9999], factor * static_cast<float>(of_ranks + n * round));
    }
  };
  {
    const std::jthread beside([&] { work(*second, 2); });
    work(*first, 1);
  }
  ranks.barrier("both are done");
}

}  // namespace edt::test
