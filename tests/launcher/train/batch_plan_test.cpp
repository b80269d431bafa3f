#include "launcher/train/batch_plan.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace edt {
namespace {

// Steps of one batch size on so many ranks, each with its share of the micro-batches.
struct Part {
  std::uint64_t steps, batch, micro_batch;
  std::int64_t ranks;
};

std::vector<std::uint64_t> read_by_all(const Part& part, std::uint64_t place) {
  std::vector<std::uint64_t> all;
  const auto count = static_cast<std::int64_t>(part.batch / part.micro_batch);
  for (std::int64_t rank = 0; rank < part.ranks; ++rank) {
    std::vector<std::int64_t> own;
    for (std::int64_t i = count * rank / part.ranks; i < count * (rank + 1) / part.ranks; ++i) {
      own.push_back(i);
    }
    const auto plan = plan_from(place, part.batch, own);
    std::vector<std::uint64_t> positions(part.micro_batch);
    for (std::uint64_t n = 0; n < part.steps * own.size(); ++n) {
      plan(n, positions);
      all.insert(all.end(), positions.begin(), positions.end());
    }
  }
  return all;
}

// A run that goes on with other batches, micro-batches and ranks: no sample twice, none left out.
TEST(BatchPlan, CoversTheDataOnce) {
  std::vector<std::uint64_t> all;
  for (const Part& part : {Part{3, 8, 2, 1}, Part{2, 32, 4, 3}, Part{5, 4, 4, 1}, Part{4, 16, 2, 8},
                           Part{1, 6, 3, 2}}) {
    const auto read = read_by_all(part, all.size());
    all.insert(all.end(), read.begin(), read.end());
  }
  ASSERT_EQ(all.size(), 3u * 8 + 2 * 32 + 5 * 4 + 4 * 16 + 6);
  std::ranges::sort(all);
  for (std::uint64_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], i);
}

}  // namespace
}  // namespace edt
