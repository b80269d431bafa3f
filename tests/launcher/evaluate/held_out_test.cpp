// Which samples are looked at, at which times, and that ranks share them without a trace.
#include "launcher/evaluate/held_out.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "parallel/comm/self/self_communicator.h"
#include "parallel/comm/threads/thread_ranks.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_run.h"

namespace edt::test {
namespace {

constexpr std::uint64_t kSeed = 3;

class HeldOut : public testing::Test {
 protected:
  // What tells samples apart: stored in half precision, one value does not.
  using Values = std::pair<float, float>;
  // A row of what was asked for: (sample, time, noise).
  using Row = std::tuple<Values, double, std::int32_t>;
  std::vector<Row> rows_of(std::int64_t count, std::int64_t batch, const data::Holdout& holdout) {
    const HeldOutSamples samples(dataset_, holdout, kSeed, count, process_);
    std::vector<Row> rows;
    const auto self = make_self_communicator();
    (void)samples.loss(
        [&](const ValidationRows& asked) {
          const std::size_t each = asked.latents.size() / asked.labels.size();
          for (std::size_t i = 0; i < asked.labels.size(); ++i) {
            rows.emplace_back(Values{asked.latents[i * each], asked.latents[i * each + 1]},
                              asked.times[i], asked.noises[i]);
          }
          return std::vector<double>(asked.labels.size(), 1.0);
        },
        batch, *self);
    return rows;
  }
  std::map<Values, std::uint64_t> numbers() const {
    std::map<Values, std::uint64_t> found;
    data::ReadScratch scratch;
    std::vector<float> latent(dataset_.description().latent_elements());
    for (std::uint64_t i = 0; i < dataset_.size(); ++i) {
      const data::SampleRef ref{.index = i};
      dataset_.read(std::span(&ref, 1), kSeed, scratch, latent);
      found[{latent[0], latent[1]}] = i;
    }
    return found;
  }

  const TempDir folder_;
  data::Dataset dataset_{(write_tiny_data(folder_ / "set", 200), folder_ / "set")};
  Process process_{ProcessConfig{}};
};

TEST_F(HeldOut, EverySampleOnceAtEightTimesInTurn) {
  const data::Holdout holdout(0.3, kSeed, 200);
  const auto held = holdout.held();
  ASSERT_GE(held.size(), 32u);
  const auto rows = rows_of(32, 5, holdout);
  ASSERT_EQ(rows.size(), 64u);
  const auto number_of = numbers();
  ASSERT_EQ(number_of.size(), 200u);
  std::set<std::uint64_t> seen;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& [value, time, noise] = rows[i];
    const std::uint64_t sample = number_of.at(value);
    EXPECT_TRUE(seen.insert(sample).second);
    EXPECT_EQ(std::ranges::binary_search(held, sample), i < 32) << i;
    EXPECT_EQ(noise, static_cast<std::int32_t>(i % 32));
    // The middle of the stratum, as a step of a thousand.
    EXPECT_EQ(time, std::floor((static_cast<double>(i % 8) + 0.5) * 125) / 1000);
  }
  // Not just the first ones, which are of the first classes.
  EXPECT_GT(*seen.rbegin(), 150u);
}

TEST_F(HeldOut, FewSamplesAreSeenAtEveryTime) {
  for (const double share : {0.03, 0.06, 0.1}) {
    const data::Holdout holdout(share, kSeed, 200);
    const auto held = holdout.held().size();
    const auto rows = rows_of(1000, 7, holdout);
    ASSERT_EQ(rows.size(), 2 * 8 * held) << held;
    std::set<std::pair<Values, double>> pairs;
    for (std::size_t i = 0; i < 8 * held; ++i) {
      pairs.emplace(std::get<0>(rows[i]), std::get<1>(rows[i]));
    }
    EXPECT_EQ(pairs.size(), 8 * held);
  }
}

// A loss that depends on everything about a row but where it lies.
std::vector<double> row_losses(const ValidationRows& rows) {
  std::vector<double> losses;
  const std::size_t each = rows.latents.size() / rows.labels.size();
  for (std::size_t i = 0; i < rows.labels.size(); ++i) {
    losses.push_back(std::exp(double{rows.latents[i * each]}) + rows.times[i] / 3 +
                     0.01 * rows.noises[i]);
  }
  return losses;
}

TEST_F(HeldOut, RanksGiveTheBitsOfOne) {
  const data::Holdout holdout(0.3, kSeed, 200);
  const HeldOutSamples samples(dataset_, holdout, kSeed, 40, process_);
  const HeldOutLoss alone = samples.loss(row_losses, 3, *make_self_communicator());
  double sum = 0;
  for (const double loss : alone.held_out_by_time) sum += loss;
  EXPECT_DOUBLE_EQ(alone.held_out, sum / kTimeStrata);
  EXPECT_DOUBLE_EQ(alone.gap(), alone.held_out / alone.trained - 1);
  EXPECT_NE(alone.held_out, alone.trained);
  for (const int count : {2, 3, 4}) {
    std::vector<int> calls(static_cast<std::size_t>(count));
    run_ranks(count, [&](Communicator& ranks) {
      const HeldOutLoss loss = samples.loss(
          [&](const ValidationRows& rows) {
            ++calls[static_cast<std::size_t>(ranks.rank())];
            return row_losses(rows);
          },
          3, ranks);
      EXPECT_EQ(loss.held_out_by_time, alone.held_out_by_time);
      EXPECT_EQ(loss.trained_by_time, alone.trained_by_time);
      EXPECT_EQ(loss.held_out, alone.held_out);
    });
    // Passes that gather weights are entered by all ranks alike.
    EXPECT_EQ(std::set<int>(calls.begin(), calls.end()).size(), 1u) << count;
  }
}

}  // namespace
}  // namespace edt::test
