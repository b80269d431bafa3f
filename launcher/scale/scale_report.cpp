#include "launcher/scale/scale_report.h"

#include <algorithm>

#include "core/base/median.h"
#include "launcher/text/report.h"
#include "model/plan/predict.h"

namespace edt {
namespace {

std::vector<double> column(const std::vector<nlohmann::json>& results, const char* key) {
  std::vector<double> values;
  for (const auto& result : results) values.push_back(result.at(key).get<double>());
  return values;
}

double predicted_rate(const ScalePoint& point, const StudyOptions& options,
                      const Cluster& cluster) {
  PlannedStep step{step_recipe(options.step), point.data_ranks(), point.tensor};
  step.engine.batch = options.step.micro_batch * point.accumulate * point.data_ranks();
  step.engine.zero.stage = static_cast<ZeroStage>(point.zero);
  return predict(step, cluster).images_per_second();
}

// Against the row of the series with the fewest ranks.
void fill_efficiency(std::vector<ScaleRow>& rows) {
  for (ScaleRow& row : rows) {
    const ScaleRow* base = &row;
    for (const ScaleRow& other : rows) {
      if (other.point.series() == row.point.series() && other.point.ranks < base->point.ranks) {
        base = &other;
      }
    }
    row.efficiency = row.images_per_s / row.point.ranks / (base->images_per_s / base->point.ranks);
  }
}

const std::vector<std::string> kHeader{"series",     "ranks",          "images/s", "range",
                                       "efficiency", "of the ceiling", "waits",    "imbalance",
                                       "memory",     "predicted"};

std::vector<std::vector<std::string>> cells(const std::vector<ScaleRow>& rows) {
  std::vector<std::vector<std::string>> all;
  for (const ScaleRow& row : rows) {
    all.push_back({row.point.series(), std::to_string(row.point.ranks),
                   human_rate(row.images_per_s),
                   fmt::format("{} to {}", human_rate(row.lowest), human_rate(row.highest)),
                   human_percent(row.efficiency), share_percent(row.ceiling_ratio),
                   human_percent(row.exposed), fmt::format("{:.3f}", row.imbalance),
                   human_bytes(row.memory_bytes),
                   row.predicted ? fmt::format("{} ({:+.1f} %)", human_rate(*row.predicted),
                                               100 * (*row.predicted / row.images_per_s - 1))
                                 : "-"});
  }
  return all;
}

std::vector<std::string> series_names(const std::vector<ScaleRow>& rows, Scaling scaling) {
  std::vector<std::string> names;
  for (const ScaleRow& row : rows) {
    if (row.point.scaling == scaling &&
        std::ranges::find(names, row.point.series()) == names.end()) {
      names.push_back(row.point.series());
    }
  }
  return names;
}

LineChart rate_chart(const std::vector<ScaleRow>& rows, Scaling scaling) {
  LineChart chart{.title = scaling == Scaling::kStrong ? "Strong scaling: one batch for all ranks"
                                                       : "Weak scaling: a batch for each data rank",
                  .x_label = "ranks",
                  .y_label = "images/s",
                  .caption = "Error bars: lowest and highest repeat.",
                  .x_scale = Scale::kLog2,
                  .y_scale = Scale::kLog2};
  LineSeries ideal{.name = "ideal", .dashed = true};
  for (const std::string& name : series_names(rows, scaling)) {
    LineSeries measured{.name = name}, predicted{.name = name + ", predicted"};
    for (const ScaleRow& row : rows) {
      if (row.point.series() != name) continue;
      const auto ranks = static_cast<double>(row.point.ranks);
      measured.points.push_back({ranks, {row.images_per_s, row.lowest, row.highest}});
      if (row.predicted) predicted.points.push_back({ranks, {*row.predicted}});
    }
    if (ideal.points.empty()) {
      const LinePoint& first = measured.points.front();
      for (const LinePoint& point : measured.points) {
        ideal.points.push_back({point.x, {first.y.value * point.x / first.x}});
      }
    }
    chart.series.push_back(std::move(measured));
    if (!predicted.points.empty()) chart.series.push_back(std::move(predicted));
  }
  chart.series.insert(chart.series.begin(), std::move(ideal));
  return chart;
}

}  // namespace

std::vector<ScaleRow> scale_rows(const Study& study, const std::vector<ScalePoint>& points,
                                 const StudyOptions& options, const Cluster* cluster) {
  std::vector<ScaleRow> rows;
  for (const ScalePoint& point : points) {
    const auto results = study.results(point);
    if (results.empty()) continue;
    const std::vector<double> rates = column(results, "images_per_s");
    ScaleRow row{.point = point,
                 .repeats = static_cast<int>(results.size()),
                 .images_per_s = median(rates),
                 .lowest = std::ranges::min(rates),
                 .highest = std::ranges::max(rates),
                 .ceiling_ratio = median(column(results, "ceiling_ratio")),
                 .exposed = median(column(results, "exposed_communication")),
                 .imbalance = median(column(results, "imbalance")),
                 .memory_bytes = median(column(results, "peak_memory_bytes"))};
    if (cluster != nullptr && point.ranks <= cluster->ranks()) {
      row.predicted = predicted_rate(point, options, *cluster);
    }
    rows.push_back(row);
  }
  fill_efficiency(rows);
  return rows;
}

std::string scale_text(const std::vector<ScaleRow>& rows) {
  Table table(kHeader);
  for (auto& row : cells(rows)) table.add(std::move(row));
  return table.text();
}

std::string scale_csv(const std::vector<ScaleRow>& rows) {
  std::string text =
      "scaling,ranks,tensor,zero,micro_batches,repeats,images_per_s,lowest,highest,efficiency,"
      "ceiling_ratio,exposed_communication,imbalance,memory_bytes,predicted_images_per_s,ceiling_"
      "outdated\n";
  for (const ScaleRow& row : rows) {
    text += fmt::format(
        "{},{},{},{},{},{},{:.6g},{:.6g},{:.6g},{:.4f},{:.4f},{:.4f},{:.4f},{:.0f},{},{}\n",
        row.point.scaling == Scaling::kStrong ? "strong" : "weak", row.point.ranks,
        row.point.tensor, row.point.zero, row.point.accumulate, row.repeats, row.images_per_s,
        row.lowest, row.highest, row.efficiency, row.ceiling_ratio, row.exposed, row.imbalance,
        row.memory_bytes, row.predicted ? fmt::format("{:.6g}", *row.predicted) : "",
        row.ceiling_ratio > 1 ? 1 : 0);
  }
  return text;
}

nlohmann::ordered_json scale_json(const std::vector<ScaleRow>& rows, const StudyOptions& options) {
  nlohmann::ordered_json json{{"model", options.step.model.name()},
                              {"dtype", name_of(options.step.dtype)},
                              {"micro_batch", options.step.micro_batch},
                              {"strong_batch", options.strong_batch},
                              {"weak_batch", options.weak_batch}};
  json["points"] = nlohmann::ordered_json::array();
  for (const ScaleRow& row : rows) {
    nlohmann::ordered_json point{
        {"scaling", row.point.scaling == Scaling::kStrong ? "strong" : "weak"},
        {"ranks", row.point.ranks},
        {"tensor", row.point.tensor},
        {"zero", row.point.zero},
        {"micro_batches", row.point.accumulate},
        {"repeats", row.repeats},
        {"images_per_s", row.images_per_s},
        {"lowest", row.lowest},
        {"highest", row.highest},
        {"efficiency", row.efficiency},
        {"ceiling_ratio", row.ceiling_ratio},
        {"ceiling_outdated", row.ceiling_ratio > 1},
        {"exposed_communication", row.exposed},
        {"imbalance", row.imbalance},
        {"memory_bytes", row.memory_bytes}};
    if (row.predicted) point["predicted_images_per_s"] = *row.predicted;
    json["points"].push_back(std::move(point));
  }
  return json;
}

Page scale_page(const std::vector<ScaleRow>& rows, const StudyOptions& options) {
  Page page("Scaling of " + options.step.model.name());
  page.paragraph(fmt::format("{} in {}, micro-batches of {}; medians of up to {} repeats.",
                             options.step.model.name(), name_of(options.step.dtype),
                             options.step.micro_batch, options.repeats));
  for (const Scaling scaling : {Scaling::kStrong, Scaling::kWeak}) {
    if (!series_names(rows, scaling).empty()) page.chart(rate_chart(rows, scaling));
  }
  LineChart efficiency{.title = "Efficiency",
                       .x_label = "ranks",
                       .y_label = "rate of a rank over the first",
                       .x_scale = Scale::kLog2};
  LineSeries ideal{.name = "ideal", .dashed = true};
  for (const Scaling scaling : {Scaling::kStrong, Scaling::kWeak}) {
    for (const std::string& name : series_names(rows, scaling)) {
      LineSeries series{.name = name};
      for (const ScaleRow& row : rows) {
        if (row.point.series() != name) continue;
        series.points.push_back({static_cast<double>(row.point.ranks), {row.efficiency}});
      }
      for (const LinePoint& point : series.points) ideal.points.push_back({point.x, {1}});
      efficiency.series.push_back(std::move(series));
    }
  }
  std::ranges::sort(ideal.points, {}, &LinePoint::x);
  efficiency.series.insert(efficiency.series.begin(), std::move(ideal));
  page.chart(efficiency).table(kHeader, cells(rows));
  return page;
}

}  // namespace edt
