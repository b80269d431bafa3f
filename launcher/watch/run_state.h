// Whether a run is going on, and if not, how it ended: from its lock, generation and outcome.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace edt {

enum class RunPhase {
  kNotStarted,  // a directory that no run has opened yet
  kRunning,
  kFinished,
  kStopped,  // on request, after saving: started again it goes on
  kHeld,     // by the file `stop`
  kFailed,
  kLost,    // no process, and no word how it ended: killed, or broken off
  kSilent,  // locked on another host, which has given no sign of life for a minute
};

std::string_view name_of(RunPhase phase);
// Whether the run may have more steps when it is looked at again without a user's doing.
bool may_go_on(RunPhase phase);

struct RunState {
  RunPhase phase = RunPhase::kNotStarted;
  std::string what;            // how it ended, in the run's own words
  std::string host;            // of the first rank, where the run is locked
  long process = 0;            // there
  std::uint64_t starts = 0;    // generation; 0: unknown
  bool asked_to_stop = false;  // the file `stop` is there
};

RunState state_of_run(const std::filesystem::path& directory);

}  // namespace edt
