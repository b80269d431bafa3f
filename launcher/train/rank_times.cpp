#include "launcher/train/rank_times.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/base/log.h"
#include "core/base/median.h"
#include "launcher/text/report.h"

namespace edt {
namespace {

constexpr std::size_t kCommunication = 2;
constexpr double kSlower = 1.2, kWorthTelling = 0.02;

double a_step(const RankSeconds& rank, std::size_t activity) {
  return rank.steps > 0 ? rank.seconds[activity] / static_cast<double>(rank.steps) : 0;
}

double whole_step(const RankSeconds& rank) {
  double sum = 0;
  for (std::size_t i = 0; i < RankSeconds::kNames.size(); ++i) sum += a_step(rank, i);
  return sum;
}

std::vector<double> each_rank(const std::vector<RankSeconds>& ranks, std::size_t activity) {
  std::vector<double> values;
  for (const RankSeconds& rank : ranks) values.push_back(a_step(rank, activity));
  return values;
}

}  // namespace

void RankSeconds::add(const StepRecord& record) {
  const StepReport& report = record.report;
  const std::array<double, kNames.size()> more{record.data_seconds, report.compute_seconds,
                                               report.communication_seconds,
                                               report.optimizer_seconds, record.checkpoint_seconds};
  for (std::size_t i = 0; i < more.size(); ++i) seconds[i] += more[i];
  ++steps;
}

std::vector<std::string> stragglers(const std::vector<RankSeconds>& ranks,
                                    const std::vector<std::string>& names) {
  std::vector<std::string> lines;
  std::vector<double> steps;
  for (const RankSeconds& rank : ranks) steps.push_back(whole_step(rank));
  for (std::size_t activity = 0; activity < RankSeconds::kNames.size(); ++activity) {
    if (activity == kCommunication) continue;
    const std::vector<double> values = each_rank(ranks, activity);
    const auto slowest = std::max_element(values.begin(), values.end());
    const double usual = lower_median(values);
    if (*slowest < kSlower * usual || *slowest - usual < kWorthTelling * lower_median(steps))
      continue;
    lines.push_back(fmt::format("{}: {} {} a step, the median rank {}",
                                names[static_cast<std::size_t>(slowest - values.begin())],
                                RankSeconds::kNames[activity], human_duration(*slowest),
                                human_duration(usual)));
  }
  return lines;
}

std::string time_table(const std::vector<RankSeconds>& ranks,
                       const std::vector<std::string>& names) {
  double all = 0;
  for (const RankSeconds& rank : ranks) all += whole_step(rank);
  Table table({"time a step", "share", "min", "mean", "max", "of"});
  for (std::size_t activity = 0; activity < RankSeconds::kNames.size(); ++activity) {
    const std::vector<double> values = each_rank(ranks, activity);
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    const double sum = std::accumulate(values.begin(), values.end(), 0.0);
    table.add({std::string(RankSeconds::kNames[activity]),
               fmt::format("{:.1f} %", all > 0 ? 100 * sum / all : 0), human_duration(*low),
               human_duration(sum / static_cast<double>(values.size())), human_duration(*high),
               names[static_cast<std::size_t>(high - values.begin())]});
  }
  return table.text();
}

void RankTimes::add(const StepRecord& record) {
  window_.add(record);
  run_.add(record);
}

std::vector<RankSeconds> RankTimes::gather(const RankSeconds& mine) const {
  std::string bytes(sizeof mine, '\0');
  std::memcpy(bytes.data(), &mine, sizeof mine);
  std::vector<RankSeconds> all;
  for (const std::string& one : ranks_.gather(bytes, 0, "times of the ranks")) {
    std::memcpy(&all.emplace_back(), one.data(), sizeof mine);
  }
  return all;
}

std::vector<std::string> RankTimes::gather_names() const {
  return ranks_.gather(fmt::format("rank {} on {}", ranks_.rank(), ranks_.host()), 0, "ranks");
}

void RankTimes::report_stragglers() {
  const auto all = gather(window_);
  const auto names = gather_names();
  const std::int64_t steps = std::exchange(window_, {}).steps;
  if (!ranks_.is_root()) return;
  const auto lines = stragglers(all, names);
  for (const std::string& line : lines) log::warning("slow in the last {} steps: {}", steps, line);
  if (lines.empty()) log::info("no rank was slow in the last {} steps", steps);
}

void RankTimes::report_run() {
  const auto all = gather(run_);
  const auto names = gather_names();
  if (ranks_.is_root() && run_.steps > 0)
    log::info("{} steps\n{}", run_.steps, time_table(all, names));
}

}  // namespace edt
