#include "launcher/plan/plan_report.h"

#include <nlohmann/json.hpp>

#include "launcher/text/report.h"

namespace edt {
namespace {

const std::vector<std::string> kHeader{"choice", "step",   "images/s",  "matrix share",
                                       "waits",  "memory", "limited by"};

std::vector<std::string> row(const Prediction& p, const Cluster& cluster) {
  return {describe(p.step),
          human_duration(p.time.seconds),
          human_rate(p.images_per_second()),
          human_percent(p.matrix_share(cluster)),
          human_percent(p.time.exposed() / p.time.seconds),
          human_bytes(p.memory_bytes),
          p.limit()};
}

// Where the step of the best choice goes, and what it keeps and sends.
std::vector<std::vector<std::string>> time_rows(const Prediction& best) {
  std::vector<std::vector<std::string>> rows;
  for (int i = 0; i < static_cast<int>(Spent::kCount); ++i) {
    const double seconds = best.time.of(static_cast<Spent>(i));
    if (seconds > 0) {
      rows.push_back({std::string(name_of(static_cast<Spent>(i))), human_duration(seconds),
                      human_percent(seconds / best.time.seconds)});
    }
  }
  return rows;
}

std::vector<std::vector<std::string>> memory_rows(const Prediction& best, const Cluster& cluster) {
  std::vector<std::vector<std::string>> rows;
  for (const MemoryUse& use : best.memory) {
    rows.push_back({std::string(use.category), human_bytes(static_cast<double>(use.bytes))});
  }
  if (cluster.process_memory > 0) {
    rows.push_back({"process", human_bytes(cluster.process_memory)});
  }
  rows.push_back({"all", fmt::format("{} of {}", human_bytes(best.memory_bytes),
                                     human_bytes(best.memory_available))});
  return rows;
}

std::vector<std::vector<std::string>> work_rows(const Prediction& best) {
  std::vector<std::vector<std::string>> rows{
      {"parameters", human_count(static_cast<double>(best.parameters))},
      {"model FLOPs", fmt::format("{:.4g} G", best.model_flops / 1e9)}};
  const auto add = [&](const char* name, double value, std::string text) {
    if (value > 0) rows.push_back({name, std::move(text)});
  };
  add("recomputed FLOPs", best.recompute_flops,
      fmt::format("{:.4g} G", best.recompute_flops / 1e9));
  add("gradients on the wire", best.gradient_wire, human_bytes(best.gradient_wire));
  add("weights and scalars", best.weight_wire, human_bytes(best.weight_wire));
  add("activations", best.tensor_wire, human_bytes(best.tensor_wire));
  add("communication of data ranks", best.time.communication,
      human_duration(best.time.communication));
  return rows;
}

std::string basis(const Prediction& best) {
  if (best.measured_calls == best.kernel_calls) return "Kernel times: all measured.";
  return fmt::format(
      "Kernel times: {} of {} calls measured, the others from rates and efficiencies of the "
      "cluster file.",
      best.measured_calls, best.kernel_calls);
}

std::string nothing_fits(const SearchResult& result) {
  const Prediction& least = result.too_large.front();
  return fmt::format("Nothing fits: the least, {}, needs {}, a device has {}.",
                     describe(least.step), human_bytes(least.memory_bytes),
                     human_bytes(least.memory_available));
}

std::string headline(const SearchResult& result, const Cluster& cluster, int ranks) {
  const PlannedStep& any =
      (result.fitting.empty() ? result.too_large : result.fitting).front().step;
  return fmt::format("{} in {}, batch {}, {} device{} of {}: {} choices fit, {} do not",
                     any.model.name(), name_of(any.engine.dtype), any.engine.batch, ranks,
                     ranks == 1 ? "" : "s", cluster.name, result.fitting.size(),
                     result.too_large.size());
}

std::string table_text(const std::vector<std::string>& header,
                       const std::vector<std::vector<std::string>>& rows) {
  Table table(header);
  for (const auto& cells : rows) table.add(cells);
  return table.text();
}

}  // namespace

std::string plan_text(const SearchResult& result, const Cluster& cluster, int ranks,
                      std::size_t shown) {
  std::string text = headline(result, cluster, ranks) + "\n\n";
  if (result.fitting.empty()) return text + nothing_fits(result) + "\n";
  const Prediction& best = result.fitting.front();
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < std::min(shown, result.fitting.size()); ++i) {
    rows.push_back(row(result.fitting[i], cluster));
  }
  text += fmt::format("{}\nThe first: {}\n", table_text(kHeader, rows), describe(best.step));
  for (const std::string& line : explain(result)) text += "  " + line + "\n";
  return fmt::format("{}\n{}\n{}\n{}\n{}\n", text,
                     table_text({"time of a step", "", "share"}, time_rows(best)),
                     table_text({"memory of a rank", ""}, memory_rows(best, cluster)),
                     table_text({"of a rank and step", ""}, work_rows(best)), basis(best));
}

nlohmann::ordered_json to_json(const Prediction& p, const Cluster& cluster) {
  nlohmann::ordered_json json{{"model", p.step.model.name()},
                              {"ranks", p.step.ranks()},
                              {"data_ranks", p.step.data_ranks},
                              {"tensor_ranks", p.step.tensor_ranks},
                              {"zero", static_cast<int>(p.step.engine.zero.stage)},
                              {"shard_ranks", p.step.engine.zero.shard_ranks},
                              {"overlap", p.step.engine.zero.overlap},
                              {"batch", p.step.engine.batch},
                              {"micro_batch", p.step.engine.micro_batch},
                              {"recompute", name_of(p.step.engine.recompute)},
                              {"fits", p.fits()},
                              {"memory_bytes", p.memory_bytes},
                              {"memory_available", p.memory_available},
                              {"model_flops", p.model_flops},
                              {"recompute_flops", p.recompute_flops},
                              {"gradient_wire_bytes", p.gradient_wire},
                              {"weight_wire_bytes", p.weight_wire},
                              {"tensor_wire_bytes", p.tensor_wire},
                              {"kernel_calls", p.kernel_calls},
                              {"measured_calls", p.measured_calls},
                              {"step_seconds", p.time.seconds},
                              {"images_per_s", p.images_per_second()},
                              {"matrix_share", p.matrix_share(cluster)},
                              {"exposed_communication", p.time.exposed() / p.time.seconds},
                              {"limit", p.limit()}};
  for (const MemoryUse& use : p.memory) json["memory"][std::string(use.category)] = use.bytes;
  for (int i = 0; i < static_cast<int>(Spent::kCount); ++i) {
    const auto what = static_cast<Spent>(i);
    json["seconds"][std::string(name_of(what))] = p.time.of(what);
  }
  return json;
}

nlohmann::ordered_json plan_json(const SearchResult& result, const Cluster& cluster, int ranks) {
  nlohmann::ordered_json json{{"cluster", cluster.name}, {"ranks", ranks}};
  for (const char* list : {"fitting", "too_large"}) json[list] = nlohmann::ordered_json::array();
  for (const Prediction& p : result.fitting) json["fitting"].push_back(to_json(p, cluster));
  for (const Prediction& p : result.too_large) json["too_large"].push_back(to_json(p, cluster));
  json["why"] = explain(result);
  return json;
}

std::string plan_csv(const SearchResult& result, const Cluster& cluster) {
  std::string text =
      "data_ranks,tensor_ranks,zero,micro_batch,recompute,fits,memory_bytes,step_seconds,"
      "images_per_s,matrix_share,exposed_communication,shard_ranks\n";
  for (const auto* list : {&result.fitting, &result.too_large}) {
    for (const Prediction& p : *list) {
      text += fmt::format("{},{},{},{},{},{},{:.0f},{:.6g},{:.6g},{:.4f},{:.4f},{}\n",
                          p.step.data_ranks, p.step.tensor_ranks,
                          static_cast<int>(p.step.engine.zero.stage), p.step.engine.micro_batch,
                          name_of(p.step.engine.recompute), p.fits() ? 1 : 0, p.memory_bytes,
                          p.time.seconds, p.images_per_second(), p.matrix_share(cluster),
                          p.time.exposed() / p.time.seconds, p.step.engine.zero.shard_ranks);
    }
  }
  return text;
}

Page plan_page(const SearchResult& result, const Cluster& cluster, int ranks) {
  Page page("Plan");
  page.paragraph(headline(result, cluster, ranks));
  if (result.fitting.empty()) return page.paragraph(nothing_fits(result)), page;
  const Prediction& best = result.fitting.front();
  page.heading("The first: " + describe(best.step));
  for (const std::string& line : explain(result)) page.paragraph(line);
  page.paragraph(basis(best));
  page.table({"time of a step", "", "share"}, time_rows(best));
  page.table({"memory of a rank", ""}, memory_rows(best, cluster));
  page.table({"of a rank and step", ""}, work_rows(best));

  constexpr std::size_t kBars = 8;
  const std::size_t count = std::min(kBars, result.fitting.size());
  BarChart chart{.title = "Where the time of a step goes", .y_label = "s"};
  for (std::size_t i = 0; i < count; ++i) chart.groups.push_back(fmt::format("{}.", i + 1));
  for (int s = 0; s < static_cast<int>(Spent::kCount); ++s) {
    BarSeries series{.name = std::string(name_of(static_cast<Spent>(s)))};
    double largest = 0;
    for (std::size_t i = 0; i < count; ++i) {
      series.values.push_back({result.fitting[i].time.of(static_cast<Spent>(s))});
      largest = std::max(largest, series.values.back().value);
    }
    if (largest > 0) chart.series.push_back(std::move(series));
  }
  page.heading("The choices").chart(chart);
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < result.fitting.size(); ++i) {
    auto cells = row(result.fitting[i], cluster);
    cells[0] = fmt::format("{}. {}", i + 1, cells[0]);
    rows.push_back(std::move(cells));
  }
  page.table(kHeader, rows);
  if (!result.too_large.empty()) {
    rows.clear();
    for (const Prediction& p : result.too_large) {
      rows.push_back({describe(p.step), human_bytes(p.memory_bytes)});
    }
    page.heading("What does not fit").table({"choice", "memory"}, rows);
  }
  return page;
}

}  // namespace edt
