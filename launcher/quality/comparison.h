// What the runs of a study say about each other.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "launcher/quality/curves.h"

namespace edt {

struct QualityReport {
  std::string machine, command;
  QualityStudyOptions options;
  std::vector<QualityArm> arms;
  std::vector<QualityRun> runs;
  std::vector<std::pair<std::string, std::string>> grids;  // arm's label, PNG file
  std::size_t tasks = 0;                                   // runs that there will be
};

std::vector<const QualityRun*> runs_of(const QualityReport& report, std::size_t arm);
// Nothing where the study has no such arm, or nothing of it.
std::optional<std::size_t> arm_named(const QualityReport& report, std::string_view key);
// Whose final quality the others are timed to: MDTv2, as the paper compares with it, else DiT, else
// the first.
std::size_t base_arm(const QualityReport& report);

// Where every one of these runs has come to, at least.
double common_cost(const std::vector<const QualityRun*>& runs, CostAxis axis);
double common_cost(const QualityReport& report, CostAxis axis);
// Of the runs whose curve goes there.
std::optional<Spread> at_cost(const std::vector<const QualityRun*>& runs, Figure figure,
                              CostAxis axis, double cost);
// Where the runs end.
std::optional<Spread> at_end(const std::vector<const QualityRun*>& runs, Figure figure);

// What the others are timed to: where the base arm ends with every seed.
std::optional<double> level_of(const QualityReport& report, Figure figure);
// Where both of two arms end with every seed: both get there.
std::optional<double> common_level(const QualityReport& report, std::size_t arm, std::size_t base,
                                   Figure figure);

struct Reaching {
  std::optional<Spread> cost;   // of the runs that reach it; a bound: at most
  std::optional<Spread> ratio;  // what the other arm takes with the same seed over that: at least
  std::size_t reached = 0, runs = 0;
};
Reaching reach(const QualityReport& report, std::size_t arm, std::size_t base, Figure figure,
               CostAxis axis, double level);

// Of each run: pictures/s, and how many times those of another with the same seed.
double images_per_second(const QualityRun& run);
std::optional<Spread> speed_ratio(const std::vector<const QualityRun*>& runs,
                                  const std::vector<const QualityRun*>& others);
// How much faster the fastest run of an arm is than its slowest, which does the same work: 0.1 is
// 10 %. The most of all arms: what others have taken from the machine.
double uneven_speed(const QualityReport& report);

}  // namespace edt
