#include "launcher/quality/report.h"

#include <algorithm>
#include <cmath>

#include "launcher/bench/speedup_report.h"
#include "launcher/quality/claims.h"
#include "launcher/quality/figure_names.h"
#include "launcher/quality/gains.h"
#include "launcher/quality/spread.h"
#include "launcher/text/report.h"
#include "launcher/watch/wording.h"

namespace edt {
namespace {

using Rows = std::vector<std::vector<std::string>>;

constexpr double kSteadySpeed = 0.05;  // runs of an arm on a machine of their own: within that

const char* axis_name(CostAxis axis) {
  return axis == CostAxis::kSeconds ? "seconds of training" : "training FLOPs";
}

// What every run has come to: "10,240 pictures, 40 s of training, or 3,080 GFLOP".
std::string common_costs(const QualityReport& report) {
  return fmt::format("{} pictures, {} of training, or {} GFLOP",
                     thousands(std::llround(common_cost(report, CostAxis::kImages))),
                     human_duration(common_cost(report, CostAxis::kSeconds)),
                     number_text(common_cost(report, CostAxis::kFlops) / 1e9));
}

bool is_measured(const QualityReport& report, Figure figure) {
  return std::ranges::any_of(report.runs, [&](const QualityRun& run) {
    return !curve_of(run, figure, CostAxis::kSeconds).empty();
  });
}

// "published FID (S)": of which size.
std::string published_name(const QualityReport& report, const char* what) {
  return fmt::format("{} ({})", what, published_size(report.options.arm.size));
}

std::vector<std::string> reach_header(const QualityReport& report) {
  return {"arm",   "reached by",    "training", "times as fast", published_name(report, "paper"),
          "GFLOP", "times as cheap"};
}

// Times as fast as MDTv2, by the abstract of EDT's paper.
std::string paper_text(const QualityReport& report, std::size_t arm) {
  const auto paper = paper_speedup(published_size(report.options.arm.size));
  const bool is_said =
      report.arms[arm].key == "edt" && report.arms[base_arm(report)].key == "mdtv2" && paper;
  return is_said ? fmt::format("{:.3g}", paper->train) : "";
}

Rows reach_rows(const QualityReport& report, Figure figure, double level) {
  Rows rows;
  for (std::size_t arm = 0; arm < report.arms.size(); ++arm) {
    const std::size_t base = base_arm(report);
    const Reaching seconds = reach(report, arm, base, figure, CostAxis::kSeconds, level);
    if (seconds.runs == 0) continue;
    Reaching flops = reach(report, arm, base, figure, CostAxis::kFlops, level);
    if (flops.cost) {
      for (double* value : {&flops.cost->middle, &flops.cost->low, &flops.cost->high}) {
        *value /= 1e9;
      }
    }
    rows.push_back({report.arms[arm].label, fmt::format("{} of {}", seconds.reached, seconds.runs),
                    spread_text(seconds.cost, "at most "), spread_text(seconds.ratio, "at least "),
                    paper_text(report, arm), spread_text(flops.cost, "at most "),
                    spread_text(flops.ratio, "at least ")});
  }
  return rows;
}

std::vector<std::string> equal_header(const QualityReport& report) {
  return {"arm",           "at equal pictures",
          "at equal time", "at equal FLOPs",
          "at the end",    published_name(report, "published FID")};
}

Rows equal_rows(const QualityReport& report, Figure figure) {
  Rows rows;
  for (std::size_t arm = 0; arm < report.arms.size(); ++arm) {
    const auto runs = runs_of(report, arm);
    if (runs.empty()) continue;
    const auto at_equal = [&](CostAxis axis) {
      return spread_text(at_cost(runs, figure, axis, common_cost(report, axis)));
    };
    const auto& published = report.arms[arm].published_fid;
    rows.push_back({report.arms[arm].label, at_equal(CostAxis::kImages),
                    at_equal(CostAxis::kSeconds), at_equal(CostAxis::kFlops),
                    spread_text(at_end(runs, figure)),
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
      rates.push_back(images_per_second(*run));
      work.push_back(last.cost.flops / images / 1e9);
    }
    if (steps.empty()) continue;
    rows.push_back({report.arms[arm].label, spread_text(spread_of(steps)),
                    spread_text(spread_of(rates)), spread_text(spread_of(work)),
                    std::to_string(steps.size())});
  }
  return rows;
}

// "seen: 0.312, 0.331"
std::string seen_text(const std::optional<ClaimSeen>& seen, bool with_values) {
  if (!seen) return "-";
  std::string text(name_of(seen->verdict));
  if (!with_values) return text;
  return fmt::format("{}: {}, {}", text, number_text(seen->better.middle),
                     number_text(seen->worse.middle));
}

std::vector<std::string> claims_header(const QualityReport& report, bool with_values) {
  std::vector<std::string> header{"claim"};
  if (with_values) header.push_back(published_name(report, "published"));
  header.insert(header.end(), {"by", "equal pictures", "equal time", "equal FLOPs"});
  return header;
}

// With values for a page, without for a terminal.
Rows claim_rows(const QualityReport& report, bool with_values) {
  Rows rows;
  const auto add = [&](const std::string& text, const std::string& published,
                       std::vector<std::string> rest) {
    std::vector<std::string> row{text};
    if (with_values) row.push_back(published);
    row.insert(row.end(), rest.begin(), rest.end());
    rows.push_back(std::move(row));
  };
  for (const SpeedClaim& claim : speed_claims(report)) {
    const std::string times =
        fmt::format("{}: {} times", name_of(claim.verdict), spread_text(claim.ratio));
    add(claim.text, claim.published, {"pictures/s", "", times, ""});
  }
  for (const QualityClaim& claim : quality_claims(report)) {
    add(claim.text, claim.published,
        {naming(claim.figure).name, seen_text(claim.after_images, with_values),
         seen_text(claim.after_seconds, with_values), seen_text(claim.after_flops, with_values)});
  }
  return rows;
}

const std::vector<std::string> kGainHeader{"arm",      "without", "by",   "until",
                                           "pictures", "time",    "FLOPs"};

// "gained: 1.21 (1.15 to 1.28)"
std::string gain_text(const Reaching& reaching) {
  const std::string name(gain_name(reaching.ratio));
  return reaching.ratio ? name + ": " + spread_text(reaching.ratio, "at least ") : name;
}

Rows gain_rows(const QualityReport& report) {
  Rows rows;
  for (const AdditionGain& gain : addition_gains(report)) {
    rows.push_back({report.arms[gain.arm].label, report.arms[gain.base].label,
                    naming(gain.figure).name, number_text(gain.level), gain_text(gain.images),
                    gain_text(gain.seconds), gain_text(gain.flops)});
  }
  return rows;
}

std::string conditions(const QualityReport& report) {
  const QualityStudyOptions& o = report.options;
  const std::string budget =
      o.seconds > 0 ? human_duration(o.seconds) : number_text(o.flops / 1e9) + " GFLOP";
  std::string text = fmt::format(
      "Size {}, batch {} from {}; each run trains for {}, and is measured {} times on the way: the "
      "moving average (decay {}) on {} noised samples, half of which were never trained on, and by "
      "{} of its own in {} steps. Time is that of data, compute, communication and update; "
      "measuring is not counted. {}. Figures are medians over seeds, with the least and the most.",
      o.arm.size, o.batch, o.data.string(), budget, o.points, o.arm.ema_decay, 16 * o.measure.draws,
      counted(static_cast<std::uint64_t>(o.measure.samples), "sample"), o.measure.steps,
      o.arm.equal_optimizer
          ? fmt::format("All train with Adan, a constant rate of {} and gradients clipped to 1",
                        o.arm.learning_rate)
          : std::string("Each trains with the optimizer of its recipe, at a constant rate"));
  if (const double uneven = uneven_speed(report); uneven > kSteadySpeed) {
    text += fmt::format(
        " The fastest run of an arm was up to {} faster than its slowest, though both do the same "
        "work: others used the machine, and that is in all figures over time. Those over pictures "
        "and FLOPs do not see it.",
        human_percent(uneven));
  }
  if (report.runs.size() < report.tasks) {
    text +=
        fmt::format(" {} of {} runs have been measured so far.", report.runs.size(), report.tasks);
  }
  return text;
}

std::string level_title(const QualityReport& report, const FigureName& figure, double level) {
  return fmt::format("To reach {} ({}), to which {} comes with every seed", number_text(level, 4),
                     figure.name, report.arms[base_arm(report)].label);
}

void add_claims(const QualityReport& report, Page& page) {
  const Rows rows = claim_rows(report, true);
  if (rows.empty()) return;
  page.heading("What papers say of the arms, and what is seen here");
  page.paragraph(
      "Of each pair the first arm should have the lower figure; both are given. 'Seen', "
      "'reversed': "
      "all seeds of the one lie below all seeds of the other. 'Within seeds': they overlap. 'One "
      "seed' cannot tell. "
      "Medians, as far as both arms have come; '-': their curves do not meet. Papers compare after "
      "as many steps; size, data and length of training here are others, and so is what the "
      "figures are of.");
  page.table(claims_header(report, true), rows);
}

void add_gains(const QualityReport& report, Page& page) {
  const Rows rows = gain_rows(report);
  if (rows.empty()) return;
  page.heading("What an addition gains here");
  page.paragraph(
      "How many times as many pictures (steps), as long and as many FLOPs the same arm takes "
      "without it to come to a figure that both come to with every seed: above 1 is a "
      "gain. 'Gained', 'lost': all seeds lie on that side of 1. 'Within seeds': they do not. What "
      "a finished run took that is learnt of is not counted, nor are the features of a data set.");
  page.table(kGainHeader, rows);
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
      add(level_title(report, figure, *level), reach_header(report),
          reach_rows(report, figure.figure, *level));
    add(fmt::format("What {} buy: {}", common_costs(report), figure.name), equal_header(report),
        equal_rows(report, figure.figure));
  }
  const Rows gains = gain_rows(report);
  if (!gains.empty()) add("How many times as much it takes without", kGainHeader, gains);
  const Rows claims = claim_rows(report, false);
  if (!claims.empty())
    add("What is said of them, and what is seen here", claims_header(report, false), claims);
  return text;
}

Page quality_study_page(const QualityReport& report) {
  Page page("Quality over time and FLOPs");
  page.paragraph(report.machine).paragraph(conditions(report)).preformatted(report.command);
  page.table(kSpeedHeader, speed_rows(report));
  add_claims(report, page);
  add_gains(report, page);
  for (const FigureName& figure : kFigures) {
    if (!is_measured(report, figure.figure)) continue;
    page.heading(figure.title);
    for (const CostAxis axis : {CostAxis::kSeconds, CostAxis::kFlops}) {
      page.chart(curve_chart(report, figure, axis));
    }
    if (const auto level = level_of(report, figure.figure)) {
      page.paragraph(level_title(report, figure, *level));
      page.table(reach_header(report), reach_rows(report, figure.figure, *level));
    }
    page.paragraph(
        fmt::format("What {} buy, as far as every run has come. The published FIDs are those of "
                    "50,000 samples after 400,000 steps of 256 pictures of ImageNet, without "
                    "guidance.",
                    common_costs(report)));
    page.table(equal_header(report), equal_rows(report, figure.figure));
  }
  if (!report.grids.empty()) page.heading("Samples at the end");
  for (const auto& [label, png] : report.grids) page.picture(png, label);
  return page;
}

}  // namespace edt
