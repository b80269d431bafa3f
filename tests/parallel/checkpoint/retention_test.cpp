// Which checkpoints stay, how much room that takes, and that what goes does so in one step.
#include <gmock/gmock-more-matchers.h>

#include "fixture.h"

namespace edt::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST(Retention, NewestMilestonesAndBest) {
  const std::vector<RankedStep> all{{1, 5.0}, {2, 3.0}, {3, 4.0}, {4, 6.0},
                                    {5, 3.0}, {6, 9.0}, {7, 8.0}};
  EXPECT_THAT(expired({.newest = 2}, all), UnorderedElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(expired({.newest = 2, .every = 3}, all), UnorderedElementsAre(1, 2, 4, 5));
  EXPECT_THAT(expired({.newest = 2, .best = 1}, all), UnorderedElementsAre(1, 3, 4, 5))
      << "of two equal ones the earlier";
  EXPECT_THAT(expired({.newest = 2, .best = 3}, all), UnorderedElementsAre(1, 4));
  EXPECT_THAT(expired({.newest = 9}, all), IsEmpty());
}

TEST(Retention, WithoutALossItIsNoneOfTheBest) {
  EXPECT_THAT(expired({.newest = 2, .best = 1}, {{1, {}}, {2, 7.0}, {3, {}}, {4, {}}}),
              ElementsAre(1));
}

TEST(Retention, RoomWhileSaving) {
  // Each is written before an old one goes.
  EXPECT_THAT(added_during({.newest = 2}, {}, {1, 2, 3, 4}), ElementsAre(1, 2, 3, 3));
  EXPECT_THAT(added_during({.newest = 2}, {{1, {}}, {2, {}}}, {3, 4}), ElementsAre(1, 1));
  EXPECT_THAT(added_during({.newest = 2, .every = 2}, {}, {1, 2, 3, 4, 5, 6}),
              ElementsAre(1, 2, 3, 3, 4, 4));
  EXPECT_THAT(added_during({.newest = 2, .best = 2}, {}, {1, 2, 3, 4, 5, 6}),
              ElementsAre(1, 2, 3, 4, 5, 5))
      << "where the loss rises, the best are others than the newest";
  EXPECT_THAT(added_during({.newest = 2}, {{1, {}}, {2, {}}}, {2}), ElementsAre(1));
}

class Retain : public ::testing::Test {
 protected:
  std::vector<std::int64_t> steps() const {
    std::vector<std::int64_t> all;
    for (const auto& entry : store_.entries()) all.push_back(entry.step);
    return all;
  }
  std::ptrdiff_t count() const {
    return std::distance(fs::directory_iterator(directory_.path()), fs::directory_iterator());
  }
  // Saves in order, with these losses.
  void save(const std::vector<RankedStep>& saves, Retention keep) const {
    RankState rank(small_layout(), 0, 1);
    CheckpointWriter writer(store_, make_self_communicator(), rank.state(), {.keep = keep});
    for (const RankedStep& one : saves) {
      rank.fill(one.step);
      CheckpointInfo info = info_of_step(one.step);
      info.smoothed_loss = one.loss;
      writer.save(info, extras_of_step(one.step));
    }
    writer.wait();
    for (const auto& report : writer.take_reports()) EXPECT_EQ(report.error, "");
  }

  TempDir directory_;
  CheckpointStore store_{directory_.path(), 3};
};

TEST_F(Retain, TheBestAreReadFromTheCheckpointsThemselves) {
  const Retention keep{.newest = 2, .every = 4, .best = 2};
  save({{1, 0.5}, {2, 0.1 + 0.2}, {3, 0.4}, {4, 0.9}, {5, 0.8}}, keep);
  EXPECT_THAT(steps(), ElementsAre(5, 4, 3, 2));
  EXPECT_EQ(Checkpoint::open(store_.path_of(2)).info().smoothed_loss, 0.1 + 0.2)
      << "to the last bit";
  // Another process goes on with what it finds.
  save({{6, 0.35}, {7, 0.7}, {8, 0.7}, {9, 0.7}}, keep);
  EXPECT_THAT(steps(), ElementsAre(9, 8, 6, 4, 2));
  EXPECT_EQ(count(), 5) << "nothing else is left";
  EXPECT_EQ(loaded_step(store_), 9);
}

TEST_F(Retain, WhatACrashLeavesOfARemovalIsNeverSeenAndCleanedUp) {
  save_steps(store_, {1, 2, 3});
  ASSERT_THAT(steps(), ElementsAre(3, 2));
  // Killed between the renaming and the removal, or in the middle of it.
  fs::rename(store_.path_of(2), directory_.path() / ".step-000002.2.removed");
  fs::remove(directory_.path() / ".step-000002.2.removed" / "rank-0000.h5");
  EXPECT_THAT(steps(), ElementsAre(3));
  EXPECT_EQ(loaded_step(store_), 3);
  store_.clean_up();
  EXPECT_EQ(count(), 1);
}

TEST_F(Retain, ARunThatWasReplacedRemovesNothingMore) {
  save_steps(store_, {1, 2, 3, 4}, {.keep = {.newest = 5}});
  int asked = 0;
  const auto replaced = [&] {
    if (++asked > 1) fail<CheckpointError>("run", "belongs to a later generation");
  };
  EXPECT_THROW(store_.retain({.newest = 2}, 4, replaced), CheckpointError);
  EXPECT_EQ(steps().size(), 3u) << "asked before each of two";
}

// The name is taken again where the same generation was interrupted before.
TEST_F(Retain, AnEarlierRemovalIsNotInTheWay) {
  save_steps(store_, {1, 2});
  const fs::path away = directory_.path() / ".step-000001.3.removed";
  fs::create_directories(away / "full");
  EXPECT_EQ(save_steps(store_, {3}).at(0).error, "");
  EXPECT_THAT(steps(), ElementsAre(3, 2));
  EXPECT_FALSE(fs::exists(away));
}

}  // namespace
}  // namespace edt::test
