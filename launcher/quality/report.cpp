#include "launcher/quality/report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "launcher/text/report.h"

namespace edt {
namespace {

using Rows = std::vector<std::vector<std::string>>;

struct FigureName {
  Figure figure;
  const char *key, *name, *title;
};
constexpr std::array kFigures{
    FigureName{Figure::kHeldOut, "held_out_error", "error of the noise",
               "Error of the predicted noise on held-out samples"},
    FigureName{Figure::kLatentDistance, "latent_distance", "distance of latents",
               "Frechet distance of latents (no FID)"},
    FigureName{Figure::kFid, "fid", "FID", "FID of as many samples as were drawn"}};

const char* axis_name(CostAxis axis) {
  return axis == CostAxis::kSeconds ? "seconds of training" : "training FLOPs";
}

std::string cost_text(CostAxis axis, double cost) {
  return axis == CostAxis::kSeconds ? human_duration(cost)
                                    : fmt::format("{:.3g} GFLOP", cost / 1e9);
}

std::string spread_text(const std::optional<Spread>& spread, int digits = 3) {
  if (!spread) return "-";
  if (spread->count == 1) return fmt::format("{:.{}g}", spread->middle, digits);
  return fmt::format("{:.{}g} ({:.{}g} to {:.{}g})", spread->middle, digits, spread->low, digits,
                     spread->high, digits);
}

bool is_measured(const QualityReport& report, Figure figure) {
  return std::ranges::any_of(report.runs, [&](const QualityRun& run) {
    return !curve_of(run, figure, CostAxis::kSeconds).empty();
  });
}

std::vector<const QualityRun*> runs_of(const QualityReport& report, std::size_t arm) {
  std::vector<const QualityRun*> runs;
  for (const QualityRun& run : report.runs) {
    if (run.task.arm == arm) runs.push_back(&run);
  }
  return runs;
}

// Whose final quality the others are timed to: MDTv2, as the paper compares with it, else DiT, else
// the first.
std::size_t base_arm(const QualityReport& report) {
  for (const char* key : {"mdtv2", "dit"}) {
    const auto found = std::ranges::find(report.arms, key, &QualityArm::key);
    const auto arm = static_cast<std::size_t>(found - report.arms.begin());
    if (found != report.arms.end() && !runs_of(report, arm).empty()) return arm;
  }
  return 0;
}

// Where every run that is compared has come to, at least.
double common_cost(const QualityReport& report, CostAxis axis) {
  double least = INFINITY;
  for (const QualityRun& run : report.runs) {
    least = std::min(least, cost_of(axis, run.points.back()));
  }
  return least;
}

std::optional<Spread> at_equal_cost(const QualityReport& report, std::size_t arm, Figure figure,
                                    CostAxis axis) {
  const double cost = common_cost(report, axis);
  std::vector<double> values;
  for (const QualityRun* run : runs_of(report, arm)) {
    if (const auto value = value_at(curve_of(*run, figure, axis), cost)) values.push_back(*value);
  }
  return spread_of(std::move(values));
}

// The level that the base arm ends at: the median over its seeds.
std::optional<double> level_of(const QualityReport& report, Figure figure) {
  std::vector<double> ends;
  for (const QualityRun* run : runs_of(report, base_arm(report))) {
    const QualityCurve curve = curve_of(*run, figure, CostAxis::kSeconds);
    if (!curve.empty()) ends.push_back(curve.back().value);
  }
  const auto spread = spread_of(std::move(ends));
  return spread ? std::optional(spread->middle) : std::nullopt;
}

struct Reaching {
  std::optional<Spread> cost;   // of the runs that reach it
  std::optional<Spread> ratio;  // what the base arm takes with the same seed over that
  std::size_t reached = 0, runs = 0;
};

Reaching reach(const QualityReport& report, std::size_t arm, Figure figure, CostAxis axis,
               double level) {
  std::vector<double> costs, ratios;
  Reaching reaching;
  const auto bases = runs_of(report, base_arm(report));
  for (const QualityRun* run : runs_of(report, arm)) {
    ++reaching.runs;
    const auto cost = cost_to_reach(curve_of(*run, figure, axis), level);
    if (!cost) continue;
    costs.push_back(*cost);
    for (const QualityRun* base : bases) {
      if (base->task.seed != run->task.seed) continue;
      if (const auto own = cost_to_reach(curve_of(*base, figure, axis), level)) {
        ratios.push_back(*own / *cost);
      }
    }
  }
  reaching.reached = costs.size();
  reaching.cost = spread_of(std::move(costs));
  reaching.ratio = spread_of(std::move(ratios));
  return reaching;
}

const std::vector<std::string> kReachHeader{"arm",           "reached by", "training",
                                            "times as fast", "GFLOP",      "times as cheap"};

Rows reach_rows(const QualityReport& report, Figure figure, double level) {
  Rows rows;
  for (std::size_t arm = 0; arm < report.arms.size(); ++arm) {
    const Reaching seconds = reach(report, arm, figure, CostAxis::kSeconds, level);
    if (seconds.runs == 0) continue;
    Reaching flops = reach(report, arm, figure, CostAxis::kFlops, level);
    if (flops.cost) {
      for (double* value : {&flops.cost->middle, &flops.cost->low, &flops.cost->high}) {
        *value /= 1e9;
      }
    }
    rows.push_back({report.arms[arm].label, fmt::format("{} of {}", seconds.reached, seconds.runs),
                    spread_text(seconds.cost), spread_text(seconds.ratio), spread_text(flops.cost),
                    spread_text(flops.ratio)});
  }
  return rows;
}

const std::vector<std::string> kEqualHeader{"arm", "at equal time", "at equal FLOPs", "at the end",
                                            "published FID"};

Rows equal_rows(const QualityReport& report, Figure figure) {
  Rows rows;
  for (std::size_t arm = 0; arm < report.arms.size(); ++arm) {
    const auto runs = runs_of(report, arm);
    if (runs.empty()) continue;
    std::vector<double> ends;
    for (const QualityRun* run : runs) {
      const QualityCurve curve = curve_of(*run, figure, CostAxis::kSeconds);
      if (!curve.empty()) ends.push_back(curve.back().value);
    }
    const auto& published = report.arms[arm].published_fid;
    rows.push_back({report.arms[arm].label,
                    spread_text(at_equal_cost(report, arm, figure, CostAxis::kSeconds)),
                    spread_text(at_equal_cost(report, arm, figure, CostAxis::kFlops)),
                    spread_text(spread_of(std::move(ends))),
                    published ? fmt::format("{:.2f}", *published) : ""});
  }
  return rows;
}

const std::vector<std::string> kSpeedHeader{"arm", "steps", "images/s", "GFLOP/image", "seeds"};

Rows speed_rows(const QualityReport& report) {
  Rows rows;
  for (std::size_t arm = 0; arm < report.arms.size(); ++arm) {
    std::vector<double> steps, rates, work;
    for (const QualityRun* run : runs_of(report, arm)) {
      const QualityPoint& last = run->points.back();
      const auto images = static_cast<double>(last.images);
      steps.push_back(static_cast<double>(last.cost.steps));
      rates.push_back(images / last.cost.seconds);
      work.push_back(last.cost.flops / images / 1e9);
    }
    if (steps.empty()) continue;
    rows.push_back({report.arms[arm].label, spread_text(spread_of(steps), 4),
                    spread_text(spread_of(rates)), spread_text(spread_of(work)),
                    std::to_string(steps.size())});
  }
  return rows;
}

// What the masked pass is worth: the arm that published comparisons leave out.
std::vector<std::string> masking_findings(const QualityReport& report) {
  const auto place = [&](const char* key) {
    const auto found = std::ranges::find(report.arms, key, &QualityArm::key);
    return static_cast<std::size_t>(found - report.arms.begin());
  };
  const std::size_t with = place("edt"), without = place("edt-unmasked");
  std::vector<std::string> lines;
  for (const FigureName& figure : kFigures) {
    for (const CostAxis axis : {CostAxis::kSeconds, CostAxis::kFlops}) {
      if (with == report.arms.size() || without == report.arms.size()) continue;
      const auto a = at_equal_cost(report, with, figure.figure, axis),
                 b = at_equal_cost(report, without, figure.figure, axis);
      if (!a || !b) continue;
      const bool apart = a->high < b->low || b->high < a->low;
      const char* word = std::min(a->count, b->count) < 2 ? "one seed cannot tell them apart"
                         : !apart                         ? "no difference beyond that of seeds"
                         : a->middle < b->middle          ? "the masked pass helps"
                                                 : "the masked pass costs more than it gives";
      lines.push_back(fmt::format("Masked pass, {} after {}: {} with it, {} without: {}.",
                                  figure.name, cost_text(axis, common_cost(report, axis)),
                                  spread_text(a), spread_text(b), word));
    }
  }
  return lines;
}

std::string conditions(const QualityReport& report) {
  const QualityStudyOptions& o = report.options;
  const std::string budget =
      o.seconds > 0 ? human_duration(o.seconds) : fmt::format("{:.3g} GFLOP", o.flops / 1e9);
  std::string text = fmt::format(
      "Size {}, batch {} from {}; each run trains for {}, and is measured {} times on the way: the "
      "moving average (decay {}) on {} noised samples, half of which were never trained on, and by "
      "{} of its own in {} steps. Time is that of data, compute, communication and update; what "
      "is measured costs nothing. {}. Figures are medians over seeds, with the least and the most.",
      o.arm.size, o.batch, o.data.string(), budget, o.points, o.arm.ema_decay, 16 * o.measure.draws,
      counted(static_cast<std::uint64_t>(o.measure.samples), "sample"), o.measure.steps,
      o.arm.equal_optimizer
          ? fmt::format("All train with Adan, a constant rate of {} and gradients clipped to 1",
                        o.arm.learning_rate)
          : std::string("Each trains with the optimizer of its recipe, at a constant rate"));
  if (report.runs.size() < report.tasks) {
    text +=
        fmt::format(" {} of {} runs have been measured so far.", report.runs.size(), report.tasks);
  }
  return text;
}

std::string level_title(const QualityReport& report, const FigureName& figure, double level) {
  return fmt::format("To reach {:.4g} ({}), where {} ends", level, figure.name,
                     report.arms[base_arm(report)].label);
}

LineChart curve_chart(const QualityReport& report, const FigureName& figure, CostAxis axis) {
  LineChart chart{.title = figure.title,
                  .x_label = axis_name(axis),
                  .y_label = figure.name,
                  .caption = "Medians over seeds, bars from the least to the most.",
                  .x_scale = Scale::kLog10,
                  .y_scale = Scale::kLog10};
  for (std::size_t arm = 0; arm < report.arms.size(); ++arm) {
    LineSeries series{.name = report.arms[arm].label};
    for (int i = 0; i < report.options.points; ++i) {
      std::vector<double> costs, values;
      for (const QualityRun* run : runs_of(report, arm)) {
        const QualityCurve curve = curve_of(*run, figure.figure, axis);
        if (static_cast<std::size_t>(i) >= curve.size()) continue;
        costs.push_back(curve[static_cast<std::size_t>(i)].cost);
        values.push_back(curve[static_cast<std::size_t>(i)].value);
      }
      const auto cost = spread_of(costs), value = spread_of(values);
      if (!value) continue;
      LinePoint point{cost->middle, {value->middle}};
      if (value->count > 1) point.y = {value->middle, value->low, value->high};
      series.points.push_back(point);
    }
    if (!series.points.empty()) chart.series.push_back(std::move(series));
  }
  return chart;
}

}  // namespace

std::string quality_study_text(const QualityReport& report) {
  std::string text = report.machine + "\n" + conditions(report) + "\n\n";
  const auto add = [&](const std::string& title, const std::vector<std::string>& header,
                       const Rows& rows) {
    Table table(header);
    for (const auto& row : rows) table.add(row);
    text += title + "\n" + table.text() + "\n";
  };
  add("Speed", kSpeedHeader, speed_rows(report));
  for (const FigureName& figure : kFigures) {
    if (!is_measured(report, figure.figure)) continue;
    const auto level = level_of(report, figure.figure);
    if (level)
      add(level_title(report, figure, *level), kReachHeader,
          reach_rows(report, figure.figure, *level));
    add(fmt::format("What {} or {} buy: {}",
                    cost_text(CostAxis::kSeconds, common_cost(report, CostAxis::kSeconds)),
                    cost_text(CostAxis::kFlops, common_cost(report, CostAxis::kFlops)),
                    figure.name),
        kEqualHeader, equal_rows(report, figure.figure));
  }
  for (const std::string& line : masking_findings(report)) text += line + "\n";
  return text;
}

nlohmann::ordered_json quality_study_json(const QualityReport& report) {
  using Json = nlohmann::ordered_json;
  const auto spread_json = [](const std::optional<Spread>& spread) {
    return spread ? Json{{"median", spread->middle},
                         {"least", spread->low},
                         {"most", spread->high},
                         {"runs", spread->count}}
                  : Json(nullptr);
  };
  Json json{{"machine", report.machine},
            {"command", report.command},
            {"base", report.arms[base_arm(report)].key}};
  for (std::size_t arm = 0; arm < report.arms.size(); ++arm) {
    Json one{{"label", report.arms[arm].label}, {"arguments", report.arms[arm].arguments}};
    one["published_fid"] =
        report.arms[arm].published_fid ? Json(*report.arms[arm].published_fid) : Json(nullptr);
    Json seeds = Json::array();
    for (const QualityRun* run : runs_of(report, arm)) {
      Json points = Json::array();
      for (const QualityPoint& point : run->points) {
        Json values{{"step", point.cost.steps},
                    {"seconds", point.cost.seconds},
                    {"flops", point.cost.flops},
                    {"images", point.images},
                    {"trained_error", point.quality.trained}};
        for (const FigureName& figure : kFigures) {
          const auto value = value_of(figure.figure, point);
          values[figure.key] = value ? Json(*value) : Json(nullptr);
        }
        points.push_back(std::move(values));
      }
      seeds.push_back({{"seed", run->task.seed}, {"points", points}});
    }
    one["runs"] = seeds;
    for (const FigureName& figure : kFigures) {
      const auto level = level_of(report, figure.figure);
      if (!level) continue;
      Json& at = one["figures"][figure.key];
      at["level"] = *level;
      for (const CostAxis axis : {CostAxis::kSeconds, CostAxis::kFlops}) {
        const char* key = axis == CostAxis::kSeconds ? "seconds" : "flops";
        const Reaching reaching = reach(report, arm, figure.figure, axis, *level);
        at[key] = {{"to_reach", spread_json(reaching.cost)},
                   {"ratio", spread_json(reaching.ratio)},
                   {"at_equal", spread_json(at_equal_cost(report, arm, figure.figure, axis))}};
      }
    }
    json["arms"][report.arms[arm].key] = std::move(one);
  }
  json["findings"] = masking_findings(report);
  return json;
}

std::string quality_study_csv(const QualityReport& report) {
  std::string text =
      "arm,seed,step,seconds,flops,images,held_out_error,trained_error,latent_distance,fid\n";
  for (const QualityRun& run : report.runs) {
    for (const QualityPoint& p : run.points) {
      text += fmt::format("{},{},{},{},{},{},{},{},{},{}\n", report.arms[run.task.arm].key,
                          run.task.seed, p.cost.steps, p.cost.seconds, p.cost.flops, p.images,
                          p.quality.held_out, p.quality.trained, p.quality.latent_distance,
                          p.quality.fid ? fmt::format("{}", *p.quality.fid) : "");
    }
  }
  return text;
}

Page quality_study_page(const QualityReport& report) {
  Page page("Quality over time and FLOPs");
  page.paragraph(report.machine).paragraph(conditions(report)).preformatted(report.command);
  page.table(kSpeedHeader, speed_rows(report));
  for (const std::string& line : masking_findings(report)) page.paragraph(line);
  for (const FigureName& figure : kFigures) {
    if (!is_measured(report, figure.figure)) continue;
    page.heading(figure.title);
    for (const CostAxis axis : {CostAxis::kSeconds, CostAxis::kFlops}) {
      page.chart(curve_chart(report, figure, axis));
    }
    if (const auto level = level_of(report, figure.figure)) {
      page.paragraph(level_title(report, figure, *level));
      page.table(kReachHeader, reach_rows(report, figure.figure, *level));
    }
    page.paragraph(
        fmt::format("What {} of training, or {}, buy. The published FIDs are those of 50,000 "
                    "samples after 400,000 steps of 256 pictures of ImageNet.",
                    cost_text(CostAxis::kSeconds, common_cost(report, CostAxis::kSeconds)),
                    cost_text(CostAxis::kFlops, common_cost(report, CostAxis::kFlops))));
    page.table(kEqualHeader, equal_rows(report, figure.figure));
  }
  if (!report.grids.empty()) page.heading("Samples at the end");
  for (const auto& [label, png] : report.grids) page.picture(png, label);
  return page;
}

}  // namespace edt
