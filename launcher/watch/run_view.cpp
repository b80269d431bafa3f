#include "launcher/watch/run_view.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "core/base/error.h"
#include "core/storage/missing_path.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

void require_run(const fs::path& directory) {
  std::error_code error;
  require<UsageError>(fs::exists(directory, error), "watch", "{}: no such directory{}",
                      directory.string(), missing_path_hint(directory));
  require<UsageError>(fs::is_directory(directory, error), "watch", "{} is not a directory",
                      directory.string());
  constexpr std::array kSigns{"config.ini", "metrics.jsonl", "lock", "generation", "checkpoints"};
  const bool is_run = std::ranges::any_of(
      kSigns, [&](const char* sign) { return fs::exists(directory / sign, error); });
  require<UsageError>(is_run, "watch",
                      "{} holds no run: none of config.ini, metrics.jsonl, lock, generation, "
                      "checkpoints is there",
                      directory.string());
}

}  // namespace

RunView::RunView(fs::path directory, std::string name)
    : directory_(std::move(directory)),
      name_(std::move(name)),
      metrics_(directory_ / "metrics.jsonl"),
      checkpoints_(directory_ / "checkpoints"),
      warnings_(directory_ / "logs") {
  require_run(directory_);
}

void RunView::refresh(double now) {
  now_ = now;
  // The state first: of a run that ends meanwhile, the last steps are read.
  state_ = state_of_run(directory_);
  recipe_ = read_recipe(directory_ / "config.ini");
  if (metrics_.refresh() || !forecast_) look_ahead();
  checkpoints_.refresh();
  samples_ = list_samples(directory_ / "samples");
  warnings_.refresh();
  pace_ = pace_of(metrics_.recent());
}

void RunView::look_ahead() {
  forecast_.reset();
  const std::int64_t ahead = forecast_step_.value_or(total_steps());
  if (metrics_.empty() || ahead <= step()) return;
  forecast_ = forecast_loss(metrics_, ahead);
}

std::int64_t RunView::step() const { return metrics_.empty() ? 0 : metrics_.last().step; }
// Fewer than were taken say nothing of the end: somebody has changed config.ini.
std::int64_t RunView::total_steps() const {
  return recipe_ && recipe_->steps >= step() ? recipe_->steps : 0;
}

double RunView::progress() const {
  if (total_steps() == 0) return 0;
  return std::clamp(static_cast<double>(step()) / static_cast<double>(total_steps()), 0.0, 1.0);
}

std::optional<double> RunView::seconds_left() const {
  if (!pace_ || total_steps() <= step()) return {};
  return static_cast<double>(total_steps() - step()) * pace_->seconds_per_step;
}

std::optional<double> RunView::seconds_since_step() const {
  if (metrics_.empty() || !std::isfinite(metrics_.last().time)) return {};
  return std::max(now_ - metrics_.last().time, 0.0);
}

bool RunView::has_stepped() const {
  if (metrics_.empty()) return false;
  const double generation = metrics_.last().generation;
  return state_.starts == 0 || std::isnan(generation) ||
         generation >= static_cast<double>(state_.starts);
}

bool RunView::is_late() const {
  if (state_.phase != RunPhase::kRunning || !pace_ || !has_stepped()) return false;
  const auto since = seconds_since_step();
  return since && *since > 60 + 20 * pace_->seconds_per_step;
}

std::optional<double> RunView::ceiling() const {
  if (metrics_.empty()) return {};
  const double rate = metrics_.last().flops_per_s / metrics_.last().ceiling_ratio;
  return std::isfinite(rate) && rate > 0 ? std::optional(rate) : std::nullopt;
}

RunViews open_runs(const std::vector<fs::path>& directories) {
  const std::vector<std::string> names = distinct_names(directories);
  RunViews runs;
  std::set<fs::path> seen;
  for (std::size_t i = 0; i < directories.size(); ++i) {
    runs.push_back(std::make_unique<RunView>(directories[i], names[i]));
    const fs::path real = fs::canonical(directories[i]);
    require<UsageError>(seen.insert(real).second, "watch", "{} is named twice ({})",
                        directories[i].string(), real.string());
  }
  return runs;
}

std::vector<std::string> distinct_names(const std::vector<fs::path>& paths) {
  std::vector<fs::path> whole;
  for (const fs::path& path : paths) {
    fs::path one = fs::absolute(path).lexically_normal();
    if (!one.has_filename()) one = one.parent_path();
    whole.push_back(one);
  }
  // The last `parts` parts of a path.
  const auto end_of = [](const fs::path& path, std::size_t parts) {
    const std::vector<fs::path> all(path.begin(), path.end());
    fs::path end;
    for (std::size_t i = all.size() - std::min(parts, all.size()); i < all.size(); ++i) {
      end /= all[i];
    }
    return end.string();
  };
  std::vector<std::string> names;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::size_t parts = 1;
    const auto taken = [&] {
      for (std::size_t j = 0; j < whole.size(); ++j) {
        if (whole[j] != whole[i] && end_of(whole[j], parts) == end_of(whole[i], parts)) return true;
      }
      return false;
    };
    while (taken()) ++parts;
    names.push_back(end_of(whole[i], parts));
  }
  return names;
}

}  // namespace edt
