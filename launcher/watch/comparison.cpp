#include "launcher/watch/comparison.h"

#include <fmt/format.h>

#include <cmath>
#include <functional>

#include "launcher/text/report.h"
#include "launcher/watch/judged_figures.h"
#include "launcher/watch/wording.h"

namespace edt {
namespace {

std::string share_text(const RunView& run, const std::string& name) {
  for (const auto& [share, value] : run.metrics().recent_shares()) {
    if (share == name) return percent(std::max(value, 0.0));
  }
  return "-";
}

std::string newest_checkpoint(const RunView& run) {
  for (const CheckpointFile& file : run.checkpoints()) {
    if (file.intact) return thousands(file.step);
  }
  return "-";
}

}  // namespace

std::vector<ComparedLine> compare(const RunViews& runs) {
  std::vector<ComparedLine> lines;
  const auto add = [&](const std::string& name,
                       const std::function<std::string(const RunView&)>& of) {
    ComparedLine line{name, {}};
    bool any = false;
    for (const auto& run : runs) {
      const std::string value = of(*run);
      any = any || (!value.empty() && value != "-");
      line.values.push_back(value.empty() ? std::string("-") : value);
    }
    if (any) lines.push_back(std::move(line));
  };
  const auto add_mean = [&](const std::string& name, double MetricsRecord::*value) {
    add(name, [value](const RunView& run) { return mean_text(run, value); });
  };
  add("state", state_text);
  add("step", [](const RunView& run) { return thousands(run.step()); });
  add("done", [](const RunView& run) {
    return run.total_steps() > 0 ? percent(std::floor(run.progress() * 1000) / 1000) : "-";
  });
  add_mean("loss", &MetricsRecord::loss);
  add_mean("masked loss", &MetricsRecord::masked_loss);
  add("loss ahead", [](const RunView& run) {
    return run.forecast() && run.forecast()->is_sound()
               ? fmt::format("{} at {}", value_text(run.forecast()->loss),
                             thousands(run.forecast()->step))
               : "-";
  });
  for (const JudgedFigure& figure : kJudgedFigures) {
    add(figure.name, [value = figure.value](const RunView& run) {
      return value_text(run.metrics().last_of(value));
    });
  }
  add_mean("gradient norm", &MetricsRecord::grad_norm);
  add_mean("images/s", &MetricsRecord::images_per_s);
  add("of the ceiling", [](const RunView& run) {
    const double share = run.metrics().recent_mean(&MetricsRecord::ceiling_ratio);
    return std::isfinite(share) ? share_text(share) : "-";
  });
  add("left", [](const RunView& run) {
    const auto left = run.seconds_left();
    return left ? human_duration(*left) : "-";
  });
  add("done about", expected_end);
  add("warnings", [](const RunView& run) { return thousands(run.warnings().count()); });
  add("checkpoint", newest_checkpoint);
  add("model", [](const RunView& run) { return run.recipe() ? run.recipe()->model : "-"; });
  add("batch", [](const RunView& run) {
    return run.recipe() && run.recipe()->batch > 0 ? thousands(run.recipe()->batch) : "-";
  });
  add_mean("learning rate", &MetricsRecord::lr);
  for (const char* name :
       {"data", "compute", "communication", "optimizer", "checkpoint", "evaluation"}) {
    add(std::string("time: ") + name, [name](const RunView& run) { return share_text(run, name); });
  }
  return lines;
}

}  // namespace edt
