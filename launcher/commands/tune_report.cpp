#include "launcher/commands/tune_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "launcher/text/report.h"

namespace edt {
namespace {

std::int64_t number_of(const GemmCalls& calls, const GemmKey& key) {
  const auto found = calls.find(key);
  return found == calls.end() ? 0 : found->second;
}

std::string microseconds(double seconds) { return fmt::format("{:.1f}", seconds * 1e6); }

// Of products that have both ways.
std::string compared(const TunedGemm& tuned, double seconds) {
  return tuned.fused_seconds > 0 ? microseconds(seconds) : "-";
}

}  // namespace

double TuneReport::Line::seconds() const {
  return static_cast<double>(training + sampling) * tuned.first_call_seconds();
}

double TuneReport::Line::flops_per_second() const {
  return 2 * static_cast<double>(key.batch.count) * static_cast<double>(key.m) *
         static_cast<double>(key.n) * static_cast<double>(key.k) / tuned.call_seconds();
}

std::vector<TuneReport::Line> TuneReport::lines() const {
  std::vector<Line> lines;
  for (const auto& [key, tuned] : file.tuned.gemms) {
    const Line line{key, tuned, tuning.found.contains(key), number_of(calls.training, key),
                    number_of(calls.sampling, key)};
    if (line.is_new || line.seconds() > 0) lines.push_back(line);
  }
  std::ranges::stable_sort(lines, std::greater{}, &Line::seconds);
  return lines;
}

std::string TuneReport::text() const {
  std::string text =
      fmt::format("{} in {} on {}: each product alone, median of {} rounds, up to {} algorithms\n",
                  steps.step.model.name(), name_of(steps.step.dtype), file.gpu.name, tuning.rounds,
                  tuning.candidates);
  Table table({"m x n x k, types, epilogue", "training", "sampling", "first us", "chosen us",
               "gain %", "rate", "suggestion", "fused us", "apart us", "taken"});
  for (const Line& line : lines()) {
    table.add({text_of_gemm(line.key), fmt::format("{}", line.training),
               fmt::format("{}", line.sampling), microseconds(line.tuned.first_call_seconds()),
               microseconds(line.tuned.call_seconds()), fmt::format("{:.1f}", 100 * line.gain()),
               human_flops(line.flops_per_second()),
               fmt::format("{} ({} timed{})", line.tuned.place + 1, line.tuned.candidates,
                           line.is_new ? "" : ", before"),
               compared(line.tuned, line.tuned.fused_seconds),
               compared(line.tuned, line.tuned.apart_seconds),
               line.tuned.fused_seconds == 0 ? "-"
               : line.tuned.apart            ? "apart"
                                             : "fused"});
  }
  text += table.text();
  const auto total = [&](std::string_view step, const GemmCalls& of) {
    if (of.empty()) return;
    const GemmSeconds seconds = seconds_of(of, file.tuned);
    text += fmt::format("products of one {} step: {} by first suggestions, {} by the chosen ones\n",
                        step, human_duration(seconds.first), human_duration(seconds.chosen));
  };
  total("training", calls.training);
  total("sampler", calls.sampling);
  text += attention_text();
  return text + fmt::format("{}: {}, {} of them new\n", file.tuned.source,
                            counted(file.tuned.gemms.size(), "product"), tuning.found.size());
}

std::string TuneReport::attention_text() const {
  if (file.tuned.attentions.empty()) return "";
  Table table({"attention", "warps us", "warpgroups us", "difference", "taken"});
  for (const auto& [key, tuned] : file.tuned.attentions) {
    table.add({text_of_attention(key), microseconds(tuned.seconds),
               microseconds(tuned.warpgroup_seconds), fmt::format("{:.1e}", tuned.difference),
               fmt::format("{}{}", tuned.warpgroups ? "warpgroups" : "warps",
                           tuning.found_attentions.contains(key) ? "" : ", before")});
  }
  return table.text();
}

std::string TuneReport::json() const {
  nlohmann::ordered_json json{{"file", file.tuned.source},
                              {"gpu", file.gpu.name},
                              {"compute_capability", file.gpu.capability},
                              {"multiprocessors", file.gpu.multiprocessors},
                              {"cublaslt", file.gpu.cublaslt},
                              {"model", steps.step.model.name()},
                              {"dtype", name_of(steps.step.dtype)},
                              {"micro_batch", steps.step.micro_batch},
                              {"sample_batch", steps.sample_pictures},
                              {"candidates", tuning.candidates},
                              {"rounds", tuning.rounds},
                              {"margin", tuning.margin}};
  const auto total = [&](const char* name, const GemmCalls& of) {
    const GemmSeconds seconds = seconds_of(of, file.tuned);
    json[name] = {{"first_seconds", seconds.first}, {"seconds", seconds.chosen}};
  };
  total("training_step", calls.training);
  total("sampler_step", calls.sampling);
  json["products"] = nlohmann::ordered_json::array();
  for (const Line& line : lines()) {
    json["products"].push_back({{"product", text_of_gemm(line.key)},
                                {"m", line.key.m},
                                {"n", line.key.n},
                                {"k", line.key.k},
                                {"training_calls", line.training},
                                {"sampling_calls", line.sampling},
                                {"first_seconds", line.tuned.first_seconds},
                                {"seconds", line.tuned.seconds},
                                {"gain", line.gain()},
                                {"flops_per_second", line.flops_per_second()},
                                {"place", line.tuned.place},
                                {"candidates", line.tuned.candidates},
                                {"fused_seconds", line.tuned.fused_seconds},
                                {"apart_seconds", line.tuned.apart_seconds},
                                {"apart", line.tuned.apart},
                                {"new", line.is_new}});
  }
  json["attention"] = nlohmann::ordered_json::array();
  for (const auto& [key, tuned] : file.tuned.attentions) {
    json["attention"].push_back({{"attention", text_of_attention(key)},
                                 {"batch", key.batch},
                                 {"tokens", key.tokens},
                                 {"heads", key.heads},
                                 {"size", key.size},
                                 {"backward", key.backward},
                                 {"seconds", tuned.seconds},
                                 {"warpgroup_seconds", tuned.warpgroup_seconds},
                                 {"difference", tuned.difference},
                                 {"warpgroups", tuned.warpgroups},
                                 {"new", tuning.found_attentions.contains(key)}});
  }
  return dump_json(json, 2) + "\n";
}

}  // namespace edt
