// Which rank keeps the others waiting: told at one place, from what all ranks say about
// themselves.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "parallel/comm/communicator.h"

namespace edt {

// Where a rank is in one of its communicators.
struct GroupStatus {
  std::string id, communicator, operation, label;
  std::uint64_t entered = 0;  // the number of its last collective there
  bool waiting = false;       // in it
  double seconds = 0;         // since it began or ended
};

struct RankStatus {
  std::string host, phase;
  double phase_seconds = 0;
  std::vector<GroupStatus> groups;
  double idle = 0;       // seconds since it last entered a phase, or entered or left a collective
  bool started = false;  // it has been through a first forward pass; of rank 0 to others: all have
};

// `ranks` in order. Empty as long as nobody has waited `timeout` for anybody, and each has shown
// progress within it.
struct HeardStatus {
  RankStatus status;
  double silent = 0;   // seconds since it was heard
  bool ended = false;  // it has finished its work: it may be silent
};
std::optional<std::string> diagnose(const std::vector<HeardStatus>& ranks, Seconds timeout);

// The line for a rank from which nothing is heard.
std::string silence_of(int rank, std::size_t ranks, const RankStatus& last_heard, double seconds);

// The line for a rank whose own messages do not get on inside the library that carries them.
// `other`: whom it sends to, or else whom it has not heard for longest.
struct StuckMessages {
  int rank;
  std::size_t ranks;
  std::string host;
  double seconds;
  bool sending;
  int other;
  HeardStatus heard;  // of `other`
};
std::string stuck_line(const StuckMessages& stuck);

std::string to_text(const RankStatus& status);
RankStatus rank_status_from(std::string_view text);

}  // namespace edt
