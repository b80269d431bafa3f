#include "data/prefetcher.h"

#include <filesystem>

#include "tests/core/storage/expect_error.h"
#include "tests/data/small_set.h"
#include "tests/support/temp_dir.h"
#include "tests/support/wait_until.h"

namespace edt::data {
namespace {

using edt::test::TempDir;

// Batch j of rank r of 4, two samples each.
BatchPlan plan_of_rank(std::uint64_t rank) {
  return [rank](std::uint64_t number, std::span<std::uint64_t> positions) {
    for (std::size_t i = 0; i < positions.size(); ++i) {
      positions[i] = (number * 4 + rank) * positions.size() + i;
    }
  };
}

TEST(Prefetcher, SameBatchesForEveryDepthAndStart) {
  const TempDir directory;
  test::write_small_set(directory / "set");
  const Dataset dataset(directory / "set");
  const OrderOptions options{.seed = 5};
  for (std::size_t depth : {1, 2, 7}) {
    for (std::uint64_t first : {0, 3}) {
      Prefetcher prefetcher(dataset, dataset.make_order(options), 2, plan_of_rank(1), first, depth);
      SampleOrder order = dataset.make_order(options);
      ReadScratch scratch;
      Batch expected;
      expected.positions.resize(2);
      for (std::uint64_t number = first; number < first + 20; ++number) {
        plan_of_rank(1)(number, expected.positions);
        read_batch(dataset, order, scratch, expected);
        const Batch& batch = prefetcher.next();
        ASSERT_EQ(batch.number, number);
        ASSERT_EQ(batch.positions, expected.positions);
        ASSERT_EQ(batch.latents, expected.latents);
        ASSERT_EQ(batch.labels, expected.labels);
        for (std::size_t i = 0; i < 2; ++i) {
          ASSERT_EQ(batch.latents[i * 24], test::value_of(batch.samples[i].index, 0));
        }
      }
      EXPECT_GE(prefetcher.seconds_waited(), 0);
    }
  }
}

TEST(Prefetcher, SteadyStateReusesItsMemory) {
  const TempDir directory;
  test::write_small_set(directory / "set");
  const Dataset dataset(directory / "set");
  Prefetcher prefetcher(dataset, dataset.make_order({.seed = 5}), 2, plan_of_rank(0), 0, 2);
  std::vector<const float*> addresses;
  for (int i = 0; i < 3; ++i) addresses.push_back(prefetcher.next().latents.data());
  for (int i = 0; i < 12; ++i) EXPECT_EQ(prefetcher.next().latents.data(), addresses[i % 3]);
}

TEST(Prefetcher, ErrorsReachTheConsumerAfterTheGoodBatches) {
  const TempDir directory;
  test::write_small_set(directory / "set");
  const Dataset dataset(directory / "set");
  const BatchPlan plan = [](std::uint64_t number, std::span<std::uint64_t> positions) {
    require<DataError>(number < 3, "plan", "batch {} of 3", number);
    for (auto& position : positions) position = number;
  };
  Prefetcher prefetcher(dataset, dataset.make_order({.seed = 5}), 2, plan, 0, 5);
  for (std::uint64_t i = 0; i < 3; ++i) EXPECT_EQ(prefetcher.next().number, i);
  EXPECT_ERROR(prefetcher.next(), DataError, "batch 3 of 3");
  EXPECT_ERROR(prefetcher.next(), DataError, "batch 3 of 3");
}

std::ptrdiff_t threads_of_this_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return std::distance(tasks, {});
}

TEST(Prefetcher, ShutsDownAtAnyMoment) {
  const std::ptrdiff_t before = threads_of_this_process();
  const TempDir directory;
  test::write_small_set(directory / "set");
  const Dataset dataset(directory / "set");
  for (std::uint64_t taken = 0; taken < 10; ++taken) {
    ASSERT_TRUE(edt::test::wait_until([&] { return threads_of_this_process() == before; }))
        << taken;
    Prefetcher prefetcher(dataset, dataset.make_order({.seed = 5}), 2, plan_of_rank(0), 0, 3);
    for (std::uint64_t i = 0; i < taken; ++i) EXPECT_EQ(prefetcher.next().number, i);
    EXPECT_EQ(threads_of_this_process(), before + 1);
  }
  // A thread that has been joined may be listed for a moment longer.
  EXPECT_TRUE(edt::test::wait_until([&] { return threads_of_this_process() == before; }));
}

}  // namespace
}  // namespace edt::data
