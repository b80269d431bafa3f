#include "launcher/watch/plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "launcher/text/report.h"
#include "launcher/watch/wording.h"

namespace edt {
namespace {

using Value = double MetricsRecord::*;

std::vector<std::pair<double, double>> means(const Curve& curve, double factor = 1) {
  std::vector<std::pair<double, double>> points;
  for (const Curve::Bucket& bucket : curve.buckets()) {
    points.emplace_back(static_cast<double>(bucket.last_step), factor * bucket.mean());
  }
  return points;
}

struct Kind {
  const char* title;
  Value value;
  bool from_zero = false;
};
constexpr Kind kLoss{"loss", &MetricsRecord::loss};
constexpr Kind kGradient{"gradient norm", &MetricsRecord::grad_norm};
constexpr Kind kImages{"images/s", &MetricsRecord::images_per_s, true};
constexpr Kind kCeiling{"share of the ceiling", &MetricsRecord::ceiling_ratio, true};
constexpr Kind kFlops{"FLOP/s", &MetricsRecord::flops_per_s, true};
constexpr Kind kRate{"learning rate", &MetricsRecord::lr};

Plot single(const RunView& run, const Kind& kind) {
  const Curve& curve = run.metrics().curve(kind.value);
  return {kind.title, mean_text(run, kind.value), {{means(curve), Ink::kSeries0}}, kind.from_zero};
}

Plot loss(const RunView& run) {
  Plot plot = single(run, kLoss);
  const Curve& masked = run.metrics().curve(&MetricsRecord::masked_loss);
  if (masked.empty()) return plot;
  plot.value += "   masked " + mean_text(run, &MetricsRecord::masked_loss);
  // First, so that the loss itself lies above it.
  plot.curves.insert(plot.curves.begin(), PlotCurve{means(masked), Ink::kSeries1, 'm'});
  return plot;
}

// Two values that are measured together, now and then: how they were last.
Plot pair(const RunView& run, const Kind& kind, Value other, const char* other_name, char letter) {
  const MetricsHistory& metrics = run.metrics();
  Plot plot{kind.title,
            fmt::format("{}   {} {}", value_text(metrics.last_of(kind.value)), other_name,
                        value_text(metrics.last_of(other))),
            {{means(metrics.curve(other)), Ink::kSeries1, letter},
             {means(metrics.curve(kind.value)), Ink::kSeries0}},
            kind.from_zero};
  return plot;
}

// What was measured beside the steps.
void add_judgements(const RunView& run, std::vector<Plot>& plots) {
  const MetricsHistory& metrics = run.metrics();
  const auto has = [&](Value value) { return !metrics.curve(value).empty(); };
  if (has(&MetricsRecord::held_out_loss)) {
    plots.push_back(pair(run, {"held-out loss", &MetricsRecord::held_out_loss},
                         &MetricsRecord::held_out_trained_loss, "trained", 't'));
    plots.back().value += "   gap " + percent(held_out_gap(metrics));
  }
  for (const Kind& kind : {Kind{"FID", &MetricsRecord::fid},
                           Kind{"latent Frechet distance", &MetricsRecord::latent_frechet}}) {
    if (!has(kind.value)) continue;
    plots.push_back(single(run, kind));
    plots.back().value = value_text(metrics.last_of(kind.value));
  }
  if (has(&MetricsRecord::precision)) {
    plots.push_back(pair(run, {"precision", &MetricsRecord::precision, true},
                         &MetricsRecord::recall, "recall", 'r'));
    plots.back().highest = 1;
  }
}

// Each on a scale of its own: they have nothing in common with the loss.
void add_beside(const RunView& run, std::vector<Plot>& plots) {
  for (const auto& [term, curve] : run.metrics().beside_curves()) {
    if (curve.empty()) continue;
    plots.push_back({beside_title(term),
                     value_text(curve.buckets().back().mean()),
                     {{means(curve), Ink::kSeries0}}});
  }
}

bool has_ceiling(const RunView& run) {
  return !run.metrics().curve(&MetricsRecord::ceiling_ratio).empty();
}

Plot overlay(const RunViews& runs, const Kind& kind) {
  Plot plot{kind.title, "", {}, kind.from_zero};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    plot.curves.push_back({means(runs[i]->metrics().curve(kind.value)), series_ink(i),
                           static_cast<char>('a' + i % 26)});
  }
  return plot;
}

// Of terms that any of the runs has.
void add_beside(const RunViews& runs, std::vector<Plot>& plots) {
  for (const std::string& term : beside_terms(runs)) {
    Plot plot{beside_title(term), "", {}};
    for (std::size_t i = 0; i < runs.size(); ++i) {
      for (const auto& [name, curve] : runs[i]->metrics().beside_curves()) {
        if (name != term) continue;
        plot.curves.push_back({means(curve), series_ink(i), static_cast<char>('a' + i % 26)});
      }
    }
    plots.push_back(std::move(plot));
  }
}

}  // namespace

std::vector<Plot> plots_of(const RunView& run) {
  std::vector<Plot> plots{loss(run)};
  add_beside(run, plots);
  add_judgements(run, plots);
  plots.push_back(single(run, kGradient));
  plots.push_back(single(run, kImages));
  const Kind work = has_ceiling(run) ? kCeiling : kFlops;
  if (!run.metrics().curve(work.value).empty()) {
    plots.push_back(single(run, work));
    if (!has_ceiling(run)) plots.back().value = ceiling_text(run);
    const double share = run.metrics().recent_mean(&MetricsRecord::ceiling_ratio);
    if (has_ceiling(run) && share > 1) plots.back().value += " (!)";
  }
  plots.push_back(single(run, kRate));
  for (const auto& [name, curve] : run.metrics().share_curves()) {
    if (name != "compute") continue;
    Plot plot{"compute, % of the time", "", {{means(curve, 100), Ink::kSeries0}}, true, 100};
    plots.push_back(std::move(plot));
  }
  return plots;
}

std::vector<Plot> plots_of(const RunViews& runs) {
  const bool ceiling = std::ranges::all_of(runs, [](const auto& run) { return has_ceiling(*run); });
  std::vector<Plot> plots{
      overlay(runs, kLoss),
      overlay(runs, {"held-out loss", &MetricsRecord::held_out_loss}),
      overlay(runs, {"FID", &MetricsRecord::fid}),
      overlay(runs, {"latent Frechet distance", &MetricsRecord::latent_frechet}),
      overlay(runs, kGradient),
      overlay(runs, kImages),
      overlay(runs, ceiling ? kCeiling : kFlops),
      overlay(runs, {"masked loss", &MetricsRecord::masked_loss}),
      overlay(runs, kRate)};
  add_beside(runs, plots);
  std::erase_if(plots, [](const Plot& plot) {
    return plot.title != "loss" && std::ranges::all_of(plot.curves, [](const PlotCurve& curve) {
             return curve.points.empty();
           });
  });
  return plots;
}

void draw_plots(Canvas& canvas, const Area& area, const std::vector<Plot>& plots) {
  constexpr int kNarrowest = 36, kLowest = 7, kGap = 3;
  const int count = static_cast<int>(plots.size());
  const int beside = std::clamp((area.columns + kGap) / (kNarrowest + kGap), 1, std::min(count, 3));
  const int above = std::clamp(area.rows / kLowest, 1, (count + beside - 1) / beside);
  const int width = (area.columns - kGap * (beside - 1)) / beside;
  // Rows that are over go to the upper plots.
  for (int i = 0; i < std::min(beside * above, count); ++i) {
    const int line = i / beside;
    const int top = area.rows * line / above, bottom = area.rows * (line + 1) / above;
    draw(canvas,
         {area.column + i % beside * (width + kGap), area.row + top, width,
          bottom - top - (line + 1 < above && bottom - top > kLowest ? 1 : 0)},
         plots[static_cast<std::size_t>(i)]);
  }
}

}  // namespace edt
