#include "launcher/watch/run_state.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/storage/durable_file.h"
#include "launcher/exit_status.h"
#include "launcher/run/run_lock.h"

namespace edt {
namespace {

struct Outcome {
  RunPhase phase;
  std::string what;
};

RunPhase phase_of(int status) {
  switch (status) {
    case kDone:
      return RunPhase::kFinished;
    case kStopped:
      return RunPhase::kStopped;
    case kHeld:
      return RunPhase::kHeld;
    case kBrokenOff:
      return RunPhase::kLost;
    default:
      return RunPhase::kFailed;
  }
}

std::optional<Outcome> read_outcome(const std::filesystem::path& file) {
  const std::string text = text_if_there(file);
  const auto json = try_parse_json(text);
  if (!json.is_object() || !json.contains("status") || !json["status"].is_number_integer()) {
    return {};
  }
  const auto what = json.find("what");
  return Outcome{phase_of(json["status"].get<int>()),
                 what != json.end() && what->is_string() ? what->get<std::string>() : ""};
}

}  // namespace

std::string_view name_of(RunPhase phase) {
  switch (phase) {
    case RunPhase::kNotStarted:
      return "not started";
    case RunPhase::kRunning:
      return "running";
    case RunPhase::kFinished:
      return "finished";
    case RunPhase::kStopped:
      return "stopped";
    case RunPhase::kHeld:
      return "held";
    case RunPhase::kFailed:
      return "failed";
    case RunPhase::kLost:
      return "lost";
    case RunPhase::kSilent:
      return "silent";
  }
  return "?";
}

bool may_go_on(RunPhase phase) {
  return phase != RunPhase::kFinished && phase != RunPhase::kFailed && phase != RunPhase::kHeld;
}

RunState state_of_run(const std::filesystem::path& directory) {
  RunState state;
  std::error_code ignored;
  state.asked_to_stop = std::filesystem::exists(directory / "stop", ignored);
  std::ifstream(directory / "generation") >> state.starts;
  const auto lock = look_at_lock(directory / "lock");
  if (lock) {
    state.host = lock->host;
    state.process = lock->process;
  }
  // A run that begins removes the outcome of the one before; one that ends writes it before it
  // gives up the lock.
  if (const auto outcome = read_outcome(directory / "outcome.json")) {
    state.phase = outcome->phase;
    state.what = outcome->what;
  } else if (lock && lock->state == LockSight::State::kHeld) {
    state.phase = RunPhase::kRunning;
  } else if (lock && lock->state == LockSight::State::kSilent) {
    state.phase = RunPhase::kSilent;
  } else if (lock || state.starts > 0 || std::filesystem::exists(directory / "metrics.jsonl")) {
    state.phase = RunPhase::kLost;
  }
  return state;
}

}  // namespace edt
