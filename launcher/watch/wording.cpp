#include "launcher/watch/wording.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "launcher/text/report.h"

namespace edt {
namespace {

std::tm local(double time) { return fmt::localtime(static_cast<std::time_t>(time)); }

std::string counted(std::int64_t count, std::string_view one) {
  return fmt::format("{} {}{}", thousands(count), one, count == 1 ? "" : "s");
}

}  // namespace

std::string thousands(std::int64_t number) {
  std::string text = std::to_string(number);
  const std::size_t begin = number < 0 ? 1 : 0;
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3;
       at > static_cast<std::ptrdiff_t>(begin); at -= 3) {
    text.insert(static_cast<std::size_t>(at), 1, ',');
  }
  return text;
}

std::string clock_text(double time) { return fmt::format("{:%H:%M:%S}", local(time)); }

std::string date_text(double time, double now) {
  const std::tm then = local(time), today = local(now);
  if (then.tm_yday == today.tm_yday && then.tm_year == today.tm_year) {
    return fmt::format("{:%H:%M}", then);
  }
  if (std::abs(time - now) > 300 * 86400.0) return fmt::format("{:%d %b %Y}", then);
  return fmt::format("{:%a %d %b %H:%M}", then);
}

std::string ago_text(double time, double now) {
  const double seconds = std::max(now - time, 0.0);
  if (seconds < 60) return fmt::format("{:.0f} s ago", seconds);
  if (seconds < 3600) return fmt::format("{:.0f} min ago", seconds / 60);
  return human_duration(seconds) + " ago";
}

std::string percent(double share) {
  return std::abs(share) >= 0.0995 ? fmt::format("{:.0f} %", 100 * share)
                                   : fmt::format("{:.1f} %", 100 * share);
}

std::string value_text(double value) {
  return std::isfinite(value) ? fmt::format("{:.4g}", value) : "-";
}

std::string mean_text(const RunView& run, double MetricsRecord::*value) {
  return value_text(run.metrics().recent_mean(value));
}

std::vector<std::string> beside_terms(const RunViews& runs) {
  std::vector<std::string> terms;
  for (const auto& run : runs) {
    for (const auto& [term, curve] : run->metrics().beside_curves()) {
      if (std::ranges::find(terms, term) == terms.end()) terms.push_back(term);
    }
  }
  return terms;
}

std::string beside_title(const std::string& term) {
  std::string title = "loss of " + term;
  std::ranges::replace(title, '_', ' ');
  return title;
}

double held_out_gap(const MetricsHistory& metrics) {
  return metrics.last_of(&MetricsRecord::held_out_loss) /
             metrics.last_of(&MetricsRecord::held_out_trained_loss) -
         1;
}

std::string held_out_text(const RunView& run) {
  const MetricsHistory& metrics = run.metrics();
  const double held = metrics.last_of(&MetricsRecord::held_out_loss);
  if (std::isnan(held)) return "";
  return fmt::format("{}, of samples that are trained on {}: {} apart", value_text(held),
                     value_text(metrics.last_of(&MetricsRecord::held_out_trained_loss)),
                     percent(held_out_gap(metrics)));
}

std::string judged_text(const RunView& run, double MetricsRecord::*distance) {
  const MetricsHistory& metrics = run.metrics();
  const double value = metrics.last_of(distance);
  if (std::isnan(value)) return "";
  std::string text = value_text(value);
  if (const double precision = metrics.last_of(&MetricsRecord::precision); !std::isnan(precision)) {
    text += fmt::format(", precision {}, recall {}", value_text(precision),
                        value_text(metrics.last_of(&MetricsRecord::recall)));
  }
  return text;
}

std::string recipe_text(const RunView& run) {
  if (!run.recipe()) return {};
  const RunRecipe& recipe = *run.recipe();
  std::string text = recipe.model;
  for (const std::string& part : {recipe.dtype, recipe.device}) {
    if (part.empty()) continue;
    if (!text.empty()) text += " · ";
    text += part;
  }
  if (recipe.batch > 0) text += fmt::format(" · batch {}", thousands(recipe.batch));
  return text;
}

std::string state_text(const RunView& run) {
  if (run.is_late()) {
    return fmt::format("no step for {}", human_duration(*run.seconds_since_step()));
  }
  if (run.state().phase == RunPhase::kRunning && !run.has_stepped()) return "starting";
  if (run.state().phase == RunPhase::kRunning && run.state().asked_to_stop) return "stopping";
  return std::string(name_of(run.state().phase));
}

std::string state_detail(const RunView& run) {
  const RunState& state = run.state();
  const std::string holder =
      state.host.empty() ? "" : fmt::format("process {} on {}", state.process, state.host);
  switch (state.phase) {
    case RunPhase::kRunning:
      return holder;
    case RunPhase::kSilent:
      return holder + " gives no sign of life";
    case RunPhase::kLost:
      return state.what.empty() ? "it ended without a word: killed, or broken off" : state.what;
    case RunPhase::kFailed:
    case RunPhase::kHeld:
    case RunPhase::kStopped:
      return state.what;
    case RunPhase::kNotStarted:
    case RunPhase::kFinished:
      return "";
  }
  return "";
}

Ink state_ink(const RunView& run) {
  if (run.is_late()) return Ink::kBad;
  switch (run.state().phase) {
    case RunPhase::kRunning:
    case RunPhase::kFinished:
      return Ink::kGood;
    case RunPhase::kStopped:
    case RunPhase::kHeld:
    case RunPhase::kSilent:
      return Ink::kWarning;
    case RunPhase::kFailed:
    case RunPhase::kLost:
      return Ink::kBad;
    case RunPhase::kNotStarted:
      return Ink::kMuted;
  }
  return Ink::kPlain;
}

std::string expected_end(const RunView& run) {
  const auto left = run.seconds_left();
  if (!left || run.state().phase != RunPhase::kRunning || run.is_late()) return "-";
  const double last = run.metrics().last().time;
  const double from = std::isfinite(last) && run.has_stepped() ? last : run.now();
  return date_text(std::max(from + *left, run.now()), run.now());
}

std::string end_text(const RunView& run) {
  if (!run.pace()) return {};
  std::string text = fmt::format("{} a step", human_duration(run.pace()->seconds_per_step));
  if (const auto left = run.seconds_left()) {
    text += fmt::format(" · {} left", human_duration(*left));
    const std::string end = expected_end(run);
    if (end != "-") text += fmt::format(", done about {}", end);
  }
  return text;
}

std::string ceiling_text(const RunView& run) {
  const double share = run.metrics().recent_mean(&MetricsRecord::ceiling_ratio);
  const double rate = run.metrics().recent_mean(&MetricsRecord::flops_per_s);
  if (!std::isfinite(share)) return std::isfinite(rate) ? human_flops(rate) : "";
  std::string text =
      fmt::format("{} of {} ceiling", share_text(share), share > 1 ? "an old" : "the");
  if (const auto ceiling = run.ceiling()) text += fmt::format(" of {}", human_flops(*ceiling));
  return text;
}

std::string events_text(const RunView& run) {
  constexpr std::array<std::pair<const char*, const char*>, 5> kWords{
      {{"spike", "spike"},
       {"rejected", "rejected update"},
       {"skipped", "skipped update"},
       {"went_back", "return to a checkpoint"},
       {"changed", "option change"}}};
  std::string text;
  const auto add = [&](const std::string& part) {
    if (!text.empty()) text += " · ";
    text += part;
  };
  for (const auto& [kind, word] : kWords) {
    const auto found = run.metrics().event_counts().find(kind);
    if (found == run.metrics().event_counts().end()) continue;
    add(std::string_view(kind) == "went_back" && found->second > 1
            ? fmt::format("{} returns to a checkpoint", found->second)
            : counted(found->second, word));
  }
  const auto restarts = static_cast<std::int64_t>(run.metrics().restarts().size());
  if (restarts > 0) add(counted(restarts, "restart"));
  if (run.metrics().bad_lines() > 0) add(counted(run.metrics().bad_lines(), "unreadable line"));
  return text;
}

std::string log_time_text(const std::string& time) {
  constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const int month = std::atoi(time.substr(5, 2).c_str());
  if (month < 1 || month > 12) return time;
  return fmt::format("{} {} {}", time.substr(8, 2), kMonths[static_cast<std::size_t>(month - 1)],
                     time.substr(11, 8));
}

}  // namespace edt
