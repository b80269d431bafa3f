#include "launcher/train/step_log.h"

#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/base/log.h"
#include "launcher/evaluate/quality_report.h"
#include "launcher/text/report.h"

namespace edt {
namespace {

double images_per_second(const StepRecord& record) {
  return static_cast<double>(record.images) / record.step_seconds;
}

// Seconds since 1970.
double wall_clock() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string summary(const StepRecord& record) {
  const StepReport& report = record.report;
  std::string text = fmt::format("loss {:.4f}", report.loss);
  if (report.masked_loss) text += fmt::format(" masked {:.4f}", *report.masked_loss);
  text += fmt::format(" grad {:.3g} lr {:.3g}, {:.1f} img/s", report.grad_norm,
                      report.learning_rate, images_per_second(record));
  if (const double share = record.ceiling_share(); share > 0) {
    text += fmt::format(", {} of {}", share_text(share), share > 1 ? "an old ceiling" : "ceiling");
  }
  return text;
}

void add_held_out(nlohmann::ordered_json& json, const HeldOutLoss& loss) {
  json["held_out_loss"] = loss.held_out;
  json["held_out_trained_loss"] = loss.trained;
  json["held_out_gap"] = loss.gap();
  json["held_out_by_time"] = loss.held_out_by_time;
  json["held_out_trained_by_time"] = loss.trained_by_time;
}

// By the names of edt evaluate; precision and recall, which curves have, without what they are of.
void add_quality(nlohmann::ordered_json& json, const Quality& quality) {
  for (const auto& [name, value] : figures_of(quality)) json[name] = value;
  if (quality.kind == FeatureKind::kInception || !quality.shares) return;
  json["precision"] = quality.shares->precision;
  json["recall"] = quality.shares->recall;
}

nlohmann::ordered_json to_json(const StepRecord& record) {
  const StepReport& report = record.report;
  nlohmann::ordered_json json{{"loss", report.loss}};
  if (report.masked_loss) json["masked_loss"] = *report.masked_loss;
  for (const auto& [name, value] : report.terms) json[name] = value;
  for (const auto& [name, value] : report.beside) json["beside"][name] = value;
  if (record.held_out) add_held_out(json, *record.held_out);
  if (record.quality) add_quality(json, *record.quality);
  json["grad_norm"] = report.grad_norm;
  json["lr"] = report.learning_rate;
  json["samples_seen"] = record.samples_seen;
  json["epoch"] = record.epoch;
  json["images_per_s"] = images_per_second(record);
  json["flops_per_s"] = record.flops / record.step_seconds;
  if (const double share = record.ceiling_share(); share > 0) {
    json["ceiling_ratio"] = share;
    if (share > 1) json["ceiling_outdated"] = 1;
  }
  json["step_seconds"] = record.step_seconds;
  const double known = record.data_seconds + report.compute_seconds + report.communication_seconds +
                       report.optimizer_seconds + record.checkpoint_seconds +
                       record.sample_seconds + record.evaluation_seconds;
  json["time_share"] = {{"data", record.data_seconds / record.step_seconds},
                        {"compute", report.compute_seconds / record.step_seconds},
                        {"communication", report.communication_seconds / record.step_seconds},
                        {"optimizer", report.optimizer_seconds / record.step_seconds},
                        {"checkpoint", record.checkpoint_seconds / record.step_seconds},
                        {"samples", record.sample_seconds / record.step_seconds},
                        {"other", (record.step_seconds - known) / record.step_seconds}};
  if (record.evaluation_seconds > 0) {
    json["time_share"]["evaluation"] = record.evaluation_seconds / record.step_seconds;
  }
  if (record.ceiling_seconds > 0) json["ceiling_seconds"] = record.ceiling_seconds;
  json["hidden_communication"] = report.hidden_communication_seconds / record.step_seconds;
  if (!report.non_finite.empty()) json["skipped"] = report.non_finite;
  if (!report.rejected.empty()) json["rejected"] = report.rejected;
  if (!record.spike.empty()) json["spike"] = record.spike;
  if (!record.rolled_back.empty()) json["went_back"] = record.rolled_back;
  if (record.saved > 0) json["saved"] = record.saved;
  if (!record.changed.empty()) json["changed"] = record.changed;
  return json;
}

}  // namespace

StepLog::StepLog(const RunDirectory& directory, std::int64_t first_step, std::int64_t last_step,
                 const RunOptions& options, ProgressStyle style)
    : token_(directory.token()),
      metrics_(directory.metrics(), first_step, [token = directory.token()] { token.check(); }),
      line_every_(options.log_every),
      last_step_(last_step) {
  if (options.tensorboard) tensorboard_.emplace(directory.tensorboard(), first_step);
  if (!options.prometheus.empty()) {
    prometheus_.emplace(options.prometheus, directory.path().string());
  }
  if (style == ProgressStyle::kBar) {
    bar_.emplace(Progress::Settings{.label = "train",
                                    .unit = "steps",
                                    .begin = first_step - 1,
                                    .end = last_step,
                                    .style = style},
                 std::cerr);
  }
}

void StepLog::write(const StepRecord& record) {
  const StepReport& report = record.report;
  token_.check();
  nlohmann::ordered_json json = to_json(record);
  json["time"] = wall_clock();
  json["generation"] = token_.number();
  metrics_.write(report.step, json);
  if (prometheus_) {
    nlohmann::ordered_json with_step{{"step", report.step}};
    with_step.update(json);
    prometheus_->write(with_step);
  }
  if (tensorboard_) {
    std::vector<std::pair<std::string, double>> values{
        {"loss/full", report.loss},
        {"optimizer/grad_norm", report.grad_norm},
        {"optimizer/lr", report.learning_rate},
        {"speed/images_per_s", images_per_second(record)}};
    for (const auto* terms : {&report.terms, &report.beside}) {
      for (const auto& [name, value] : *terms) values.emplace_back("loss/" + name, value);
    }
    if (report.masked_loss) values.emplace_back("loss/masked", *report.masked_loss);
    if (record.held_out) {
      values.emplace_back("held_out/loss", record.held_out->held_out);
      values.emplace_back("held_out/trained_loss", record.held_out->trained);
      values.emplace_back("held_out/gap", record.held_out->gap());
    }
    if (record.quality) {
      for (const auto& [name, value] : figures_of(*record.quality)) {
        values.emplace_back("samples/" + name, value);
      }
    }
    if (const double share = record.ceiling_share(); share > 0) {
      values.emplace_back(share > 1 ? "speed/old_ceiling_ratio" : "speed/ceiling_ratio", share);
    }
    tensorboard_->scalars(report.step, values);
  }
  if (bar_) {
    bar_->update(report.step, summary(record));
  } else if (report.step % line_every_ == 0 || report.step == last_step_) {
    log::info("step {}/{}: {}", report.step, last_step_, summary(record));
  }
}

void StepLog::image(std::int64_t step, std::string_view tag, std::string_view png) {
  if (tensorboard_) tensorboard_->image(step, tag, png);
}

}  // namespace edt
