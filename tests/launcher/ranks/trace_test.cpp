// run.profile=trace on ranks that shard weights and communicate while they compute: one file that a
// viewer can show.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/json/json_text.h"
#include "tests/support/mpi_world.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"
#include "tests/support/tiny_run.h"

namespace edt {
namespace {

using Json = nlohmann::json;

struct Event {
  std::string track, name, communicator;
  std::int64_t sequence = 0;
  double begin = 0, end = 0;  // us
};

class TraceFile : public testing::Test {
 protected:
  TraceFile() {
    if (world_.is_root()) {
      directory_ = std::make_unique<test::TempDir>();
      test::write_tiny_data(*directory_ / "data");
    }
    root_ = world_.broadcast(directory_ ? directory_->path().string() : "", 0, "test directory");
  }
  ~TraceFile() override { world_.barrier("end of the test"); }

  TrainConfig config() const {
    TrainConfig config = test::tiny_config(root_ / "data", root_ / "run");
    config.train.micro_batch = 1;
    if (world_.size() % 3 == 0) config.train.batch = 12;
    config.parallel.zero = ZeroStage::kWeights;
    config.run.checkpoint_every = 2;
    config.run.profile = Profile::kTrace;
    config.run.profile_steps = "2..4";
    return config;
  }
  // Events by rank, from the file that the run has left.
  std::map<int, std::vector<Event>> read() {
    const Json trace = parse_json(test::read_text(root_ / "run" / "trace.json"), "output");
    std::map<std::pair<int, int>, std::string> tracks;
    std::map<int, std::vector<Event>> events;
    for (const Json& json : trace.at("traceEvents")) {
      const int rank = json.at("pid"), track = json.at("tid");
      if (json.at("ph") == "M") {
        if (json.at("name") == "thread_name") tracks[{rank, track}] = json.at("args").at("name");
        if (json.at("name") == "process_labels") {
          double within = 0;
          const std::string label = json.at("args").at("labels");
          EXPECT_EQ(std::sscanf(label.c_str(), "clock within %lf us", &within), 1) << label;
          clock_accuracy_[rank] = within;
        }
        continue;
      }
      EXPECT_EQ(json.at("ph"), "X") << "complete events only";
      const double begin = json.at("ts");
      const Json arguments = json.value("args", Json::object());
      events[rank].push_back({tracks.at({rank, track}), json.at("name"),
                              arguments.value("communicator", ""), arguments.value("sequence", 0),
                              begin, begin + json.at("dur").get<double>()});
    }
    return events;
  }

  Communicator& world_ = test::mpi_world();
  std::unique_ptr<test::TempDir> directory_;
  std::filesystem::path root_;
  std::map<int, double> clock_accuracy_;  // us, as the file says
};

// A viewer draws the events of a track inside each other, so any two are apart or nested.
void expect_nested(std::vector<Event> events) {
  constexpr double kRounding = 0.001;  // us; times are whole nanoseconds
  std::ranges::sort(events, [](const Event& a, const Event& b) {
    return a.track != b.track   ? a.track < b.track
           : a.begin != b.begin ? a.begin < b.begin
                                : a.end > b.end;
  });
  std::vector<const Event*> open;
  for (const Event& event : events) {
    while (!open.empty() &&
           (open.back()->track != event.track || open.back()->end <= event.begin + kRounding)) {
      open.pop_back();
    }
    if (!open.empty()) {
      EXPECT_LE(event.end, open.back()->end + kRounding)
          << event.track << ": " << open.back()->name << " and " << event.name;
    }
    EXPECT_GE(event.end, event.begin);
    open.push_back(&event);
  }
}

TEST_F(TraceFile, OneFileOfAllRanksThatNests) {
  EXPECT_EQ(test::run(config(), world_), kDone);
  if (!world_.is_root()) return;
  const auto events = read();
  ASSERT_EQ(std::ssize(events), world_.size());
  for (const auto& [rank, list] : events) {
    std::set<std::string> tracks, names;
    for (const Event& event : list) {
      tracks.insert(event.track);
      names.insert(event.name);
    }
    for (const char* track : {"steps", "phases", "compute", "communication", "communication, queue",
                              "I/O, reader", "I/O, checkpoint"}) {
      EXPECT_TRUE(tracks.contains(track)) << "rank " << rank << ": " << track;
    }
    for (const char* name : {"step 2", "step 3", "step 4", "forward", "backward",
                             "attention.forward", "mlp.backward", "read batch", "verified"}) {
      EXPECT_TRUE(names.contains(name)) << "rank " << rank << ": " << name;
    }
    EXPECT_FALSE(names.contains("step 1") || names.contains("step 5"));
    expect_nested(list);
  }
}

// Nobody leaves a sum before the last has entered it: its times overlap as far as clocks agree. How
// far that is depends on the fastest of twenty messages, so on what else the machine does.
TEST_F(TraceFile, CollectivesOverlapBetweenRanks) {
  if (world_.size() % 3 == 0) GTEST_SKIP() << "clocks are compared among 2 and 4 ranks";
  EXPECT_EQ(test::run(config(), world_), kDone);
  if (!world_.is_root()) return;
  const auto events = read();
  std::map<std::tuple<std::string, std::string, std::int64_t>, std::map<int, Event>> calls;
  for (const auto& [rank, list] : events) {
    for (const Event& event : list) {
      if (event.name.starts_with("all_reduce ") && event.sequence > 0) {
        calls[{event.communicator, event.name, event.sequence}].emplace(rank, event);
      }
    }
  }
  int whole = 0;
  constexpr double kRounding = 0.1;  // us: accuracies have one digit
  for (const auto& [call, on_ranks] : calls) {
    if (std::ssize(on_ranks) != world_.size()) continue;  // begun before the recording
    ++whole;
    for (const auto& [rank, event] : on_ranks) {
      for (const auto& [other, its] : on_ranks) {
        const double apart = clock_accuracy_.at(rank) + clock_accuracy_.at(other) + kRounding;
        EXPECT_LT(event.begin, its.end + apart)
            << std::get<1>(call) << " " << std::get<2>(call) << ", ranks " << rank << " " << other;
      }
    }
  }
  EXPECT_GE(whole, 6) << "losses and gradient norms of three steps";
}

TEST_F(TraceFile, OffLeavesNoFile) {
  TrainConfig config = this->config();
  config.run.profile = Profile::kNone;
  EXPECT_EQ(test::run(config, world_), kDone);
  EXPECT_FALSE(std::filesystem::exists(root_ / "run" / "trace.json"));
}

}  // namespace
}  // namespace edt
