// Where the time of each rank went, side by side: who keeps the others waiting, and a table at the
// end of a run.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/train/step_log.h"
#include "parallel/comm/communicator.h"

namespace edt {

// Seconds of one rank by activity.
struct RankSeconds {
  static constexpr std::array<std::string_view, 5> kNames{"data", "compute", "communication",
                                                          "optimizer", "checkpoint"};
  std::array<double, kNames.size()> seconds{};
  std::int64_t steps = 0;

  void add(const StepRecord& record);
};

// "rank 3 on node2: compute 1.40 s a step, the median rank 1.10 s", for each activity at which a
// rank is a fifth slower than the median and that costs 2 % of the step or more. Waiting for others
// (communication) is no sign of a slow rank. Empty where there is none.
std::vector<std::string> stragglers(const std::vector<RankSeconds>& ranks,
                                    const std::vector<std::string>& names);

// A row per activity: its share of the time, and the lowest, mean and highest seconds a step, with
// the rank of the last.
std::string time_table(const std::vector<RankSeconds>& ranks,
                       const std::vector<std::string>& names);

class RankTimes {
 public:
  explicit RankTimes(Communicator& ranks) : ranks_(ranks) {}

  void add(const StepRecord& record);
  // Logs on the first rank who was slow since the last report. All ranks call it.
  void report_stragglers();
  // Logs the table of the whole run. All ranks call it.
  void report_run();

 private:
  std::vector<RankSeconds> gather(const RankSeconds& mine) const;
  std::vector<std::string> gather_names() const;

  Communicator& ranks_;
  RankSeconds window_, run_;
};

}  // namespace edt
