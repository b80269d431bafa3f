#include "parallel/health/watchdog.h"

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>

#include "core/base/clock.h"
#include "core/json/json_text.h"
#include "parallel/comm/self/self_communicator.h"
#include "parallel/comm/threads/thread_ranks.h"
#include "tests/parallel/health/watch_time.h"
#include "tests/support/mpirun.h"
#include "tests/support/places.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using Json = nlohmann::json;

Json dump_of(const test::TempDir& directory, int rank) {
  const std::string text = test::read_text(directory / fmt::format("stall-rank-{}.json", rank));
  return text.empty() ? Json() : parse_json(text, "dump");
}

struct Timeouts {
  double later = 0.2, start = 1800;
  std::vector<bool> forward_done = {};  // by rank; none: all
};

// Ranks with a watchdog each, that notes how often it would have ended the job.
class WatchedRanks {
 public:
  // `stall` comes back when all ranks have given up.
  using Stall = std::function<void()>;
  using Work = std::function<void(Communicator&, FlightRecorder&, const Stall&)>;

  WatchedRanks(int ranks, const test::TempDir& directory)
      : ranks_(ranks), directory_(directory), time_(ranks) {
    for (int r = 0; r < ranks; ++r) {
      recorders_.push_back(std::make_shared<FlightRecorder>(256, [this] { return time_.wall(); }));
    }
  }

  // Time stands still until every rank stalls or waits in a collective of one
  // of `labels`.
  int aborts_when_all_wait(const std::vector<std::string>& labels, const Work& work,
                           const Timeouts& timeouts = {}) {
    const std::jthread clock([&](const std::stop_token& ended) {
      const auto over = [&] { return ended.stop_requested() || aborts_ == ranks_; };
      EXPECT_TRUE(test::wait_until([&] { return over() || all_wait(labels); }));
      while (!over()) time_.pass(Seconds(0.05));
    });
    return aborts(work, timeouts);
  }
  // Time passes where `work` calls pass().
  int aborts(const Work& work, const Timeouts& timeouts = {}) {
    run_ranks(ranks_, [&](Communicator& world) { run(world, work, timeouts); });
    return aborts_;
  }
  void pass(double seconds) { time_.pass(Seconds(seconds)); }
  // Its watchdog looks no more until another has ended the job.
  void freeze_rank_0() {
    is_frozen_ = true;
    time_.leave(0);
  }
  void pass_at_once(double seconds) { time_.pass(Seconds(seconds), Seconds(seconds)); }

 private:
  void run(Communicator& world, const Work& work, const Timeouts& timeouts) {
    const int rank = world.rank();
    const auto place = static_cast<std::size_t>(rank);
    WatchdogOptions options{.start_timeout = Seconds(timeouts.start),
                            .timeout = Seconds(timeouts.later),
                            .directory = directory_.path()};
    options.now = [this, rank] {
      if (rank == 0 && is_frozen_) {
        EXPECT_TRUE(test::wait_until([&] { return aborts_ > 0; }));
      }
      return time_.look(rank);
    };
    options.guard_now = [] { return Clock::time_point(); };  // a thread that waits for a processor
    options.abort = [this, rank](int status) {
      aborts_ += status;
      time_.leave(rank);
    };
    Watchdog watchdog(world, recorders_[place], options);
    if (timeouts.forward_done.empty() || timeouts.forward_done[place]) watchdog.forward_done();
    work(world, *recorders_[place], [&] {
      ++stalling_;
      EXPECT_TRUE(test::wait_until([&] { return aborts_ == ranks_; }));
    });
  }

  bool all_wait(const std::vector<std::string>& labels) const {
    int waiting = stalling_;
    for (const auto& recorder : recorders_) {
      for (const FlightRecorder::Place& place : recorder->places()) {
        waiting += place.waiting && std::ranges::count(labels, place.label) > 0;
      }
    }
    return waiting == ranks_;
  }

  const int ranks_;
  const test::TempDir& directory_;
  test::WatchTime time_;
  std::vector<std::shared_ptr<FlightRecorder>> recorders_;
  std::atomic<int> aborts_ = 0, stalling_ = 0;
  std::atomic<bool> is_frozen_ = false;
};

using Stall = WatchedRanks::Stall;

TEST(Watchdog, NamesTheRankThatDoesNotCome) {
  const test::TempDir directory;
  const int aborts = WatchedRanks(4, directory)
                         .aborts_when_all_wait(
                             {"gradients of blocks.3"},
                             [](Communicator& world, FlightRecorder& recorder, const Stall& stall) {
                               const auto data = world.split(0, 0, "data");
                               data->barrier("start");
                               recorder.phase("forward");
                               if (world.rank() == 2) stall();
                               data->all_reduce_value(1.0f, Reduce::kSum, "gradients of blocks.3");
                             });
  EXPECT_EQ(aborts, 4);
  for (int rank = 0; rank < 4; ++rank) {
    const Json dump = dump_of(directory, rank);
    EXPECT_EQ(dump["rank"], rank);
    EXPECT_EQ(dump["phase"], "forward");
    EXPECT_THAT(dump["verdict"].get<std::string>(),
                ContainsRegex("^rank 2 of 4 on .* stalls: has not entered all_reduce #2 "
                              "\"gradients "
                              "of blocks.3\" of \"data\" \\(it is in phase \"forward\" since "
                              "0?[0-9.]* s\\); ranks 0, 1, 3 wait$"));
    const Json last = dump["collectives"].back();
    EXPECT_EQ(last["operation"], rank == 2 ? "barrier" : "all_reduce");
    EXPECT_EQ(last["state"], rank == 2 ? "done" : "pending");
    EXPECT_EQ(last["communicator"], "data");
    EXPECT_EQ(last["bytes"], rank == 2 ? 0 : 4);
  }
}

// Of the two time-outs 0 turns off the one it is given for.
TEST(Watchdog, ZeroIsNever) {
  const test::TempDir directory;
  const auto aborts = [&](bool expected, const Timeouts& timeouts) {
    WatchedRanks ranks(1, directory);
    const auto work = [&](Communicator&, FlightRecorder& recorder, const Stall& stall) {
      recorder.phase("data");
      if (expected) stall();
      if (!expected) ranks.pass_at_once(0.7);
    };
    return expected ? ranks.aborts_when_all_wait({}, work, timeouts) : ranks.aborts(work, timeouts);
  };
  EXPECT_EQ(aborts(false, {.later = 0.2, .start = 0, .forward_done = {false}}), 0);
  EXPECT_EQ(aborts(true, {.later = 0.2, .start = 0, .forward_done = {true}}), 1);
  EXPECT_EQ(aborts(true, {.later = 0, .start = 0.2, .forward_done = {false}}), 1);
  EXPECT_EQ(aborts(false, {.later = 0, .start = 0.2, .forward_done = {true}}), 0);
}

TEST(Watchdog, NamesARankThatMakesNoProgressOnItsOwn) {
  const test::TempDir directory;
  const auto file = directory / "held open";
  std::ofstream held(file);
  const int aborts = WatchedRanks(1, directory)
                         .aborts_when_all_wait(
                             {}, [](Communicator&, FlightRecorder& recorder, const Stall& stall) {
                               recorder.phase("data");
                               stall();
                             });
  EXPECT_EQ(aborts, 1);
  const Json dump = dump_of(directory, 0);
  EXPECT_THAT(dump["verdict"].get<std::string>(),
              ContainsRegex("^rank 0 of 1 on .* stalls: no progress for 0.[0-9]* s in phase "
                            "\"data\", "));
  EXPECT_THAT(dump_json(dump["open_files"]), HasSubstr(file.string()));
  const std::string stacks = dump_json(dump["threads"]);
  EXPECT_THAT(stacks, HasSubstr("clock_nanosleep"));
  EXPECT_THAT(stacks, HasSubstr("\"state\":\"S\""));
}

// Ranks 0 and 1 wait for rank 2, which waits for rank 3 in another
// communicator.
TEST(Watchdog, NamesTheCauseAndNotWhoWaitsForIt) {
  const test::TempDir directory;
  const auto work = [](Communicator& world, FlightRecorder&, const Stall& stall) {
    const auto halves = world.split(world.rank() / 2, 0, "tensor");
    const auto trio = world.split(world.rank() < 3 ? 0 : 1, 0, "data");
    if (world.rank() == 3) stall();
    if (world.rank() >= 2) halves->barrier("activations");
    if (world.rank() < 3) trio->barrier("gradients");
  };
  WatchedRanks(4, directory).aborts_when_all_wait({"activations", "gradients"}, work);
  EXPECT_THAT(dump_of(directory, 0)["verdict"].get<std::string>(),
              AllOf(ContainsRegex("^rank 3 of 4 on .* stalls: has not entered barrier #1 "),
                    HasSubstr("\"activations\" of \"tensor\""), HasSubstr("rank 2 waits")));
}

TEST(Watchdog, NamesWhatRanksDisagreeOn) {
  const test::TempDir directory;
  const auto work = [](Communicator& world, FlightRecorder&, const Stall&) {
    const auto data = world.split(0, 0, "data");
    data->set_timeout(Seconds(3));  // the diagnosis comes long before
    const auto call = [&] {
      if (world.rank() == 0) data->barrier("end of step");
      if (world.rank() == 1) data->broadcast("configuration", 0, "options");
    };
    EXPECT_THROW(call(), CommunicationError);
  };
  WatchedRanks(2, directory).aborts_when_all_wait({"end of step", "options"}, work);
  EXPECT_THAT(dump_of(directory, 1)["verdict"].get<std::string>(),
              AllOf(HasSubstr("ranks disagree: rank "), HasSubstr("barrier #1 \"end of step\""),
                    HasSubstr("broadcast #1 \"options\"")));
}

// Each waits for less than the time-out, all together for longer.
TEST(Watchdog, LetsWorkingRanksWorkAndEnd) {
  const test::TempDir directory;
  WatchedRanks ranks(3, directory);
  const auto work = [&](Communicator& world, FlightRecorder&, const Stall&) {
    for (int step = 0; step < 6; ++step) {
      if (world.rank() == step % 3) ranks.pass(0.1);
      world.barrier("step");
    }
    if (world.rank() == 1) ranks.pass(0.1);  // ends late: the others wait for it
  };
  EXPECT_EQ(ranks.aborts(work), 0);
  EXPECT_EQ(dump_of(directory, 0), Json());
}

// As long as one rank has not been through a forward pass, whichever it is.
TEST(Watchdog, WaitsLongerForTheFirstForwardPassOfAllRanks) {
  for (const std::vector<bool>& done : {std::vector<bool>{false, false, false},
                                        {false, true, true},
                                        {true, false, true},
                                        {true, true, false}}) {
    const test::TempDir directory;
    WatchedRanks ranks(3, directory);
    const auto work = [&](Communicator& world, FlightRecorder&, const Stall&) {
      if (world.rank() == 1) ranks.pass(0.6);
      world.barrier("first step");
    };
    EXPECT_EQ(ranks.aborts(work, {.forward_done = done}), 0);
  }
}

// Ranks that wait for each other in their first backward pass: the start's
// time-out is over.
TEST(Watchdog, IsShortFromTheFirstForwardPassOn) {
  const test::TempDir directory;
  const auto work = [](Communicator& world, FlightRecorder& recorder, const Stall& stall) {
    recorder.phase("backward");
    if (world.rank() == 1) stall();
    world.barrier("gradients of blocks.0");
  };
  WatchedRanks(2, directory)
      .aborts_when_all_wait({"gradients of blocks.0"}, work,
                            {.start = 1e6, .forward_done = {true, true}});
  EXPECT_THAT(dump_of(directory, 1)["verdict"].get<std::string>(),
              ContainsRegex("^rank 1 of 2 on .* stalls: has not entered barrier #"));
}

// Rank 0 tells the others that all have been through it: one that hears no more of rank 0 does not
// wait for it as long as for a start.
TEST(Watchdog, TheOtherRanksKnowWhenAllHaveBeenThroughIt) {
  const test::TempDir directory;
  WatchedRanks ranks(2, directory);
  const auto work = [&](Communicator& world, FlightRecorder&, const Stall& stall) {
    if (world.rank() == 0) {
      ranks.pass(0.1);  // it has heard of the other, and the other of that
      ranks.freeze_rank_0();
    }
    stall();
  };
  ranks.aborts_when_all_wait({}, work, {.start = 1e6, .forward_done = {true, true}});
  EXPECT_THAT(dump_of(directory, 1)["verdict"].get<std::string>(),
              ContainsRegex("^rank 0 of 2 on .* stalls: no sign of life for "));
}

TEST(Watchdog, IsThereForOneRankToo) {
  const auto self = make_self_communicator();
  const auto recorder = std::make_shared<FlightRecorder>();
  {
    const Watchdog watchdog(*self, recorder, {});
    self->barrier("alone");
  }
  EXPECT_EQ(recorder->entries().back().label, "alone");
}

TEST(FlightRecorder, KeepsTheLastOnes) {
  const auto self = make_self_communicator();
  const auto recorder = std::make_shared<FlightRecorder>(3);
  self->set_observer(recorder);
  const auto data = self->split(0, 0, "data");
  for (int i = 0; i < 5; ++i) data->barrier(fmt::format("number {}", i));
  const auto entries = recorder->entries();
  ASSERT_EQ(entries.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(entries[i].label, fmt::format("number {}", i + 2));
    EXPECT_EQ(entries[i].sequence, i + 3);
    EXPECT_FALSE(entries[i].pending);
    EXPECT_GE(entries[i].end, entries[i].begin);
  }
  EXPECT_EQ(recorder->places().size(), 2u);
}

test::CommandOutcome stalling(const std::string& how, int rank, const test::TempDir& directory) {
  const std::string program = test::in_build("tests/parallel/health/stalling_program").string();
  return test::mpirun(
      fmt::format("-np 3 {} {} {} {}", program, how, rank, directory.path().string()), "2>&1");
}

TEST(WatchdogMpi, NobodyStalls) {
  const test::TempDir directory;
  const auto outcome = stalling("works", 0, directory);
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(outcome.output, "");
}

TEST(WatchdogMpi, ARankSleeps) {
  const test::TempDir directory;
  const auto outcome = stalling("sleeps", 2, directory);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.output,
              AllOf(ContainsRegex("rank 2 of 3 on .* stalls: has not entered all_reduce #4"),
                    HasSubstr("(it is in phase \"forward\" since "), HasSubstr("ranks 0, 1 wait")));
  for (int rank = 0; rank < 3; ++rank) EXPECT_EQ(dump_of(directory, rank)["rank"], rank);
}

TEST(WatchdogMpi, ARankFreezes) {
  const test::TempDir directory;
  const auto outcome = stalling("freezes", 1, directory);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.output, ContainsRegex("rank 1 of 3 on .* stalls: no sign of life for"));
  EXPECT_EQ(dump_of(directory, 0)["rank"], 0);
  EXPECT_EQ(dump_of(directory, 2)["rank"], 2);
}

TEST(WatchdogMpi, RankZeroFreezes) {
  const test::TempDir directory;
  const auto outcome = stalling("freezes", 0, directory);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.output, ContainsRegex("rank 0 of 3 on .* stalls: no sign of life for"));
  EXPECT_EQ(dump_of(directory, 1)["rank"], 1);
}

// The library does not come back from a message of rank 0's watchdog.
TEST(WatchdogMpi, TheLibrarySticks) {
  const test::TempDir directory;
  const auto outcome = stalling("sticks", 0, directory);
  EXPECT_EQ(outcome.status, 5);
  EXPECT_THAT(
      outcome.output,
      ContainsRegex("rank 0 of 3 on .* stalls: its messages stand still for .* s, inside "
                    "one to rank [12] on .* \\(heard .* s ago in phase \"(forward|backward)\""));
  EXPECT_FALSE(dump_of(directory, 0)["threads"].empty());
}

// What carries the messages fails: nobody would be watched from then on.
TEST(WatchdogMpi, TheLibraryFails) {
  const test::TempDir directory;
  const auto outcome = stalling("fails", 2, directory);
  EXPECT_EQ(outcome.status, 5);
  EXPECT_THAT(outcome.output, ContainsRegex("rank 2 of 3 on .* loses touch with the others: "));
}

// Ranks 1 and 2 are gone when rank 0 says its farewell to MPI.
TEST(WatchdogMpi, TheEndSticks) {
  const test::TempDir directory;
  const auto outcome = stalling("stays", 1, directory);
  EXPECT_EQ(outcome.status, 5);
  EXPECT_THAT(outcome.output, ContainsRegex("rank [02] of 3 on .* has finished and waited 2 s for "
                                            "the others in MPI_Finalize"));
}

}  // namespace
}  // namespace edt
