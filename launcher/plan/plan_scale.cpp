#include "launcher/plan/plan_scale.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "launcher/plan/plan_report.h"
#include "launcher/text/report.h"

namespace edt {
namespace {

int parse_number(std::string_view text, std::string_view whole) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  require<UsageError>(error == std::errc{} && end == text.data() + text.size() && number >= 1,
                      "plan", "--scale '{}' is no range of ranks such as 1..4096", whole);
  return number;
}

// Activations are kept where that fits: to compute them again is for those who have to.
SearchResult search_cheaply(const PlannedStep& step, int ranks, SearchSpace space,
                            const Cluster& cluster) {
  if (space.recompute) return search(step, ranks, space, cluster);
  SearchResult result;
  for (const Recompute recompute :
       {Recompute::kLeast, Recompute::kNone, Recompute::kSelective, Recompute::kFull}) {
    if (recompute == Recompute::kLeast && !space.least) continue;
    if (!can_recompute(step.model, recompute)) continue;
    space.recompute = recompute;
    result = search(step, ranks, space, cluster);
    if (!result.fitting.empty()) break;
  }
  return result;
}

ScaledPlan plan_point(PlannedStep step, int ranks, bool weak, std::int64_t batch,
                      const SearchSpace& space, const Cluster& cluster) {
  ScaledPlan plan{.ranks = ranks, .weak = weak, .batch = batch};
  step.engine.batch = batch;
  try {
    SearchResult result = search_cheaply(step, ranks, space, cluster);
    if (!result.fitting.empty()) {
      plan.best = std::move(result.fitting.front());
      plan.upkeep = plan_upkeep(*plan.best, cluster);
    } else {
      plan.reason = fmt::format("needs {}, a device has {}",
                                human_bytes(result.too_large.front().memory_bytes),
                                human_bytes(cluster.memory));
    }
  } catch (const UsageError& error) {
    plan.reason = error.what();
  }
  return plan;
}

void fill_efficiency(std::vector<ScaledPlan>& plans) {
  for (ScaledPlan& plan : plans) {
    if (!plan.best) continue;
    const auto base = std::ranges::find_if(
        plans, [&](const ScaledPlan& p) { return p.weak == plan.weak && p.best; });
    plan.efficiency = plan.best->images_per_second() / plan.ranks /
                      (base->best->images_per_second() / base->ranks);
  }
}

const std::vector<std::string> kStudyHeader{"scaling",  "ranks",      "batch",        "step",
                                            "images/s", "efficiency", "matrix share", "waits",
                                            "memory",   "limited by", "choice"};

std::vector<std::vector<std::string>> cells(const std::vector<ScaledPlan>& plans,
                                            const Cluster& cluster) {
  std::vector<std::vector<std::string>> rows;
  for (const ScaledPlan& plan : plans) {
    const std::string scaling = plan.weak ? "weak" : "strong";
    if (!plan.best) {
      rows.push_back({scaling, std::to_string(plan.ranks), std::to_string(plan.batch), "-", "-",
                      "-", "-", "-", "-", "-", "-"});
      continue;
    }
    const Prediction& p = *plan.best;
    rows.push_back({scaling, std::to_string(plan.ranks), std::to_string(plan.batch),
                    human_duration(p.time.seconds), human_rate(p.images_per_second()),
                    human_percent(plan.efficiency), human_percent(p.matrix_share(cluster)),
                    human_percent(p.time.exposed() / p.time.seconds), human_bytes(p.memory_bytes),
                    p.limit(), describe(p.step)});
  }
  return rows;
}

const std::vector<std::string> kUpkeepHeader{
    "scaling",         "ranks",         "checkpoint", "files",        "operations",
    "waited for",      "written in",    "every",      "failures/day", "a failure costs",
    "time that stays", "images/s kept", "costs most"};

// What failures leave, of the points with a plan; empty where the cluster does not say what fails.
std::vector<std::vector<std::string>> upkeep_cells(const std::vector<ScaledPlan>& plans) {
  constexpr double kDay = 86400;
  std::vector<std::vector<std::string>> rows;
  for (const ScaledPlan& plan : plans) {
    if (!plan.upkeep) continue;
    const Upkeep& u = *plan.upkeep;
    rows.push_back(
        {plan.weak ? "weak" : "strong", std::to_string(plan.ranks), human_bytes(u.checkpoint.bytes),
         std::to_string(u.checkpoint.files), std::to_string(u.checkpoint.operations),
         human_duration(u.checkpoint.copy_seconds), human_duration(u.checkpoint.write_seconds),
         human_duration(u.interval), fmt::format("{:.3g}", kDay / u.between_failures),
         human_duration(u.lost), human_percent(u.effective),
         human_rate(u.effective * plan.best->images_per_second()), std::string(u.limit)});
  }
  return rows;
}

constexpr const char* kUpkeepTitle = "With failures, and a checkpoint at the best intervals";

nlohmann::ordered_json to_json(const Upkeep& u) {
  return {{"checkpoint_bytes", u.checkpoint.bytes},
          {"checkpoint_files", u.checkpoint.files},
          {"checkpoint_operations", u.checkpoint.operations},
          {"copy_seconds", u.checkpoint.copy_seconds},
          {"write_seconds", u.checkpoint.write_seconds},
          {"read_seconds", u.checkpoint.read_seconds},
          {"seconds_between_failures", u.between_failures},
          {"best_interval_seconds", u.interval},
          {"seconds_lost_per_failure", u.lost},
          {"effective_share", u.effective},
          {"costs_most", u.limit}};
}

// Why there is no plan at some numbers of ranks.
std::vector<std::string> reasons(const std::vector<ScaledPlan>& plans) {
  std::vector<std::string> lines;
  for (const ScaledPlan& plan : plans) {
    if (plan.best) continue;
    lines.push_back(
        fmt::format("{}, {} ranks: {}", plan.weak ? "weak" : "strong", plan.ranks, plan.reason));
  }
  return lines;
}

LineChart rate_chart(const std::vector<ScaledPlan>& plans) {
  LineChart chart{.title = "Predicted throughput",
                  .x_label = "ranks",
                  .y_label = "images/s",
                  .x_scale = Scale::kLog2,
                  .y_scale = Scale::kLog2};
  LineSeries ideal{.name = "ideal", .dashed = true};
  for (const bool weak : {false, true}) {
    LineSeries series{.name = weak ? "weak: batch grows with the ranks" : "strong: one batch"};
    for (const ScaledPlan& plan : plans) {
      if (plan.weak != weak || !plan.best) continue;
      const auto ranks = static_cast<double>(plan.ranks);
      series.points.push_back({ranks, {plan.best->images_per_second()}});
      if (weak) {
        const LinePoint& first = series.points.front();
        ideal.points.push_back({ranks, {first.y.value * ranks / first.x}});
      }
    }
    chart.series.push_back(std::move(series));
  }
  chart.series.insert(chart.series.begin(), std::move(ideal));
  return chart;
}

LineChart share_chart(const std::vector<ScaledPlan>& plans, bool weak) {
  LineChart chart{.title = weak ? "Where a step's time goes, weak scaling"
                                : "Where a step's time goes, strong scaling",
                  .x_label = "ranks",
                  .y_label = "% of the step",
                  .x_scale = Scale::kLog2};
  for (int i = 0; i < static_cast<int>(Spent::kCount); ++i) {
    const auto what = static_cast<Spent>(i);
    LineSeries series{.name = std::string(name_of(what))};
    double largest = 0;
    for (const ScaledPlan& plan : plans) {
      if (plan.weak != weak || !plan.best) continue;
      const double share = 100 * plan.best->time.of(what) / plan.best->time.seconds;
      series.points.push_back({static_cast<double>(plan.ranks), {share}});
      largest = std::max(largest, share);
    }
    if (largest > 0.5) chart.series.push_back(std::move(series));
  }
  return chart;
}

std::string headline(const std::vector<ScaledPlan>& plans, const Cluster& cluster) {
  for (const ScaledPlan& plan : plans) {
    if (!plan.best) continue;
    return fmt::format("{} in {} on {}, as predicted: the fastest choice at each number of ranks",
                       plan.best->step.model.name(), name_of(plan.best->step.engine.dtype),
                       cluster.name);
  }
  return "Nothing fits.";
}

}  // namespace

ScaleRange parse_scale_range(std::string_view text) {
  const std::size_t dots = text.find("..");
  ScaleRange range;
  range.first = parse_number(text.substr(0, dots), text);
  range.last = dots == text.npos ? range.first : parse_number(text.substr(dots + 2), text);
  require<UsageError>(range.first <= range.last, "plan", "--scale '{}' ends before it begins",
                      text);
  return range;
}

std::vector<ScaledPlan> plan_scaling(const PlannedStep& step, const ScaleRange& range,
                                     const SearchSpace& space, const Cluster& cluster,
                                     const std::function<void(const ScaledPlan&)>& told) {
  std::vector<ScaledPlan> plans;
  for (const bool weak : {false, true}) {
    for (int ranks = range.first; ranks <= range.last; ranks *= 2) {
      const std::int64_t batch = weak ? range.weak_images * ranks : step.engine.batch;
      plans.push_back(plan_point(step, ranks, weak, batch, space, cluster));
      told(plans.back());
      if (!weak && !plans.back().best && plans.size() > 1) break;  // more ranks share no more
    }
  }
  fill_efficiency(plans);
  return plans;
}

std::string scaling_text(const std::vector<ScaledPlan>& plans, const Cluster& cluster) {
  Table table(kStudyHeader);
  for (auto& row : cells(plans, cluster)) table.add(std::move(row));
  std::string text = fmt::format("{}\n\n{}", headline(plans, cluster), table.text());
  if (auto rows = upkeep_cells(plans); !rows.empty()) {
    Table kept(kUpkeepHeader);
    for (auto& row : rows) kept.add(std::move(row));
    text += fmt::format("\n{}\n\n{}", kUpkeepTitle, kept.text());
  }
  for (const std::string& line : reasons(plans)) text += line + "\n";
  return text;
}

std::string scaling_csv(const std::vector<ScaledPlan>& plans, const Cluster& cluster) {
  std::string text =
      "scaling,ranks,batch,data_ranks,tensor_ranks,zero,micro_batch,recompute,step_seconds,"
      "images_per_s,efficiency,matrix_share,exposed_communication,memory_bytes,checkpoint_bytes,"
      "best_interval_seconds,effective_share,shard_ranks\n";
  for (const ScaledPlan& plan : plans) {
    if (!plan.best) continue;
    const Prediction& p = *plan.best;
    text += fmt::format("{},{},{},{},{},{},{},{},{:.6g},{:.6g},{:.4f},{:.4f},{:.4f},{:.0f}",
                        plan.weak ? "weak" : "strong", plan.ranks, plan.batch, p.step.data_ranks,
                        p.step.tensor_ranks, static_cast<int>(p.step.engine.zero.stage),
                        p.step.engine.micro_batch, name_of(p.step.engine.recompute), p.time.seconds,
                        p.images_per_second(), plan.efficiency, p.matrix_share(cluster),
                        p.time.exposed() / p.time.seconds, p.memory_bytes);
    text += plan.upkeep ? fmt::format(",{:.0f},{:.6g},{:.4f}", plan.upkeep->checkpoint.bytes,
                                      plan.upkeep->interval, plan.upkeep->effective)
                        : ",,,";
    text += fmt::format(",{}\n", p.step.engine.zero.shard_ranks);
  }
  return text;
}

nlohmann::ordered_json scaling_json(const std::vector<ScaledPlan>& plans, const Cluster& cluster) {
  nlohmann::ordered_json json{{"cluster", cluster.name}};
  json["points"] = nlohmann::ordered_json::array();
  for (const ScaledPlan& plan : plans) {
    nlohmann::ordered_json point{
        {"scaling", plan.weak ? "weak" : "strong"}, {"ranks", plan.ranks}, {"batch", plan.batch}};
    if (plan.best) {
      point["efficiency"] = plan.efficiency;
      point["best"] = to_json(*plan.best, cluster);
      if (plan.upkeep) point["failures"] = to_json(*plan.upkeep);
    } else {
      point["reason"] = plan.reason;
    }
    json["points"].push_back(std::move(point));
  }
  return json;
}

Page scaling_page(const std::vector<ScaledPlan>& plans, const Cluster& cluster) {
  Page page("Predicted scaling");
  page.paragraph(headline(plans, cluster)).chart(rate_chart(plans));
  page.chart(share_chart(plans, true)).chart(share_chart(plans, false));
  page.table(kStudyHeader, cells(plans, cluster));
  if (const auto rows = upkeep_cells(plans); !rows.empty()) {
    page.heading(kUpkeepTitle).table(kUpkeepHeader, rows);
  }
  for (const std::string& line : reasons(plans)) page.paragraph(line);
  return page;
}

}  // namespace edt
