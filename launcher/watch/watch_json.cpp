#include "launcher/watch/watch_json.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "launcher/watch/judged_figures.h"
#include "launcher/watch/wording.h"

namespace edt {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json number(const std::optional<double>& value) { return value ? number(*value) : Json(nullptr); }

Json state_json(const RunView& run) {
  const RunState& state = run.state();
  Json json{{"state", name_of(state.phase)}, {"what", state.what}};
  if (!state.host.empty()) json["held_by"] = {{"host", state.host}, {"process", state.process}};
  json["starts"] = state.starts;
  json["late"] = run.is_late();
  return json;
}

Json last_json(const MetricsHistory& metrics) {
  const MetricsRecord& last = metrics.last();
  return {{"loss", number(last.loss)},           {"masked_loss", number(last.masked_loss)},
          {"grad_norm", number(last.grad_norm)}, {"lr", number(last.lr)},
          {"epoch", number(last.epoch)},         {"time", number(last.time)}};
}

// What the model was judged by, when it was for the last time.
Json judged_json(const MetricsHistory& metrics) {
  Json json = Json::object();
  const auto add = [&](const char* name, double MetricsRecord::*value) {
    const Curve& curve = metrics.curve(value);
    if (curve.empty()) return;
    json[name] = {{"step", curve.buckets().back().last_step},
                  {"value", number(metrics.last_of(value))}};
  };
  for (const JudgedFigure& figure : kJudgedFigures) add(figure.key, figure.value);
  add("held_out_trained_loss", &MetricsRecord::held_out_trained_loss);
  return json;
}

Json recent_json(const MetricsHistory& metrics) {
  const auto mean = [&](double MetricsRecord::*value) {
    return number(metrics.recent_mean(value));
  };
  Json shares = Json::object();
  for (const auto& [name, share] : metrics.recent_shares()) shares[name] = number(share);
  return {{"steps", std::min<std::size_t>(metrics.recent().size(), 100)},
          {"loss", mean(&MetricsRecord::loss)},
          {"masked_loss", mean(&MetricsRecord::masked_loss)},
          {"grad_norm", mean(&MetricsRecord::grad_norm)},
          {"images_per_s", mean(&MetricsRecord::images_per_s)},
          {"flops_per_s", mean(&MetricsRecord::flops_per_s)},
          {"ceiling_ratio", mean(&MetricsRecord::ceiling_ratio)},
          {"ceiling_outdated", metrics.recent_mean(&MetricsRecord::ceiling_ratio) > 1},
          {"time_share", shares}};
}

Json files_json(const RunView& run) {
  Json checkpoints = Json::array(), samples = Json::array();
  for (const CheckpointFile& file : run.checkpoints()) {
    checkpoints.push_back(
        {{"step", file.step}, {"time", file.time}, {"bytes", file.bytes}, {"intact", file.intact}});
    if (!file.intact) checkpoints.back()["problem"] = file.problem;
  }
  for (const SampleFile& file : run.samples()) {
    samples.push_back({{"step", file.step}, {"time", file.time}, {"file", file.path.string()}});
  }
  return {{"checkpoints", checkpoints}, {"samples", samples}};
}

Json events_json(const RunView& run) {
  Json events = Json::array(), warnings = Json::array();
  for (const StepEvent& event : run.metrics().events()) {
    events.push_back({{"step", event.step}, {"kind", event.kind}, {"text", event.text}});
  }
  for (const LogWarning& warning : run.warnings().list()) {
    warnings.push_back({{"time", warning.time},
                        {"level", warning.error ? "error" : "warning"},
                        {"text", warning.text},
                        {"ranks", warning.ranks}});
  }
  return {{"events", events},
          {"event_counts", run.metrics().event_counts()},
          {"restarts", run.metrics().restarts()},
          {"warnings", warnings},
          {"unreadable_lines", run.metrics().bad_lines()}};
}

}  // namespace

Json to_json(const LossForecast& forecast) {
  Json json{{"step", forecast.step}, {"bins", forecast.bins}};
  if (!forecast.is_sound()) {
    json["refused"] = forecast.refusal;
    return json;
  }
  json.update({{"loss", number(forecast.loss)},
               {"low", number(forecast.low)},
               {"high", number(forecast.high)},
               {"limit", number(forecast.law.limit)},
               {"scale", number(forecast.law.scale)},
               {"power", number(forecast.law.power)},
               {"backtest", number(forecast.backtest)}});
  return json;
}

Json to_json(const RunView& run) {
  Json json{{"name", run.name()}, {"directory", run.directory().string()}};
  json.update(state_json(run));
  if (run.recipe()) {
    json["model"] = run.recipe()->model;
    json["dtype"] = run.recipe()->dtype;
    json["batch"] = run.recipe()->batch;
  }
  json["step"] = run.step();
  json["total_steps"] = run.total_steps() > 0 ? Json(run.total_steps()) : Json(nullptr);
  json["seconds_per_step"] = run.pace() ? Json(run.pace()->seconds_per_step) : Json(nullptr);
  json["seconds_left"] = number(run.seconds_left());
  json["seconds_since_step"] = number(run.seconds_since_step());
  json["trained_seconds"] = run.metrics().trained_seconds();
  json["ceiling_flops_per_s"] = number(run.ceiling());
  if (!run.metrics().empty()) {
    json["last"] = last_json(run.metrics());
    json["recent"] = recent_json(run.metrics());
    json["judged"] = judged_json(run.metrics());
  }
  if (run.forecast()) json["forecast"] = to_json(*run.forecast());
  json.update(files_json(run));
  json.update(events_json(run));
  return json;
}

}  // namespace edt
