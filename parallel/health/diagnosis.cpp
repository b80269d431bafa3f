#include "parallel/health/diagnosis.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"

namespace edt {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(GroupStatus, id, communicator, operation, label, entered,
                                   waiting, seconds)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RankStatus, host, phase, phase_seconds, groups, idle, started)

namespace {

std::string place_of(const GroupStatus& group) {
  return fmt::format("{} #{} \"{}\" of \"{}\"", group.operation, group.entered, group.label,
                     group.communicator);
}

std::string list(const std::vector<int>& ranks) {
  return fmt::format("{} {} wait{}", ranks.size() == 1 ? "rank" : "ranks", fmt::join(ranks, ", "),
                     ranks.size() == 1 ? "s" : "");
}

// One communicator, as its ranks see it.
struct Meeting {
  struct Member {
    int rank;
    const GroupStatus* group;
  };
  std::vector<Member> members;
  const GroupStatus* awaited =
      nullptr;  // what somebody has been in for too long, the lowest number

  std::vector<int> waiting() const {
    std::vector<int> ranks;
    for (const auto& [rank, group] : members) {
      if (group->waiting && group->entered == awaited->entered) ranks.push_back(rank);
    }
    return ranks;
  }
  std::vector<int> missing() const {
    std::vector<int> ranks;
    for (const auto& [rank, group] : members) {
      if (group->entered < awaited->entered) ranks.push_back(rank);
    }
    return ranks;
  }
};

std::vector<Meeting> long_meetings(const std::vector<HeardStatus>& ranks, Seconds timeout) {
  std::map<std::string_view, Meeting> all;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    for (const GroupStatus& group : ranks[rank].status.groups) {
      Meeting& meeting = all[group.id];
      meeting.members.push_back({static_cast<int>(rank), &group});
      if (!group.waiting || group.seconds < timeout.count()) continue;
      if (!meeting.awaited || group.entered < meeting.awaited->entered) meeting.awaited = &group;
    }
  }
  std::vector<Meeting> late;
  for (auto& [id, meeting] : all) {
    if (meeting.awaited) late.push_back(std::move(meeting));
  }
  return late;
}

double longest_wait(const RankStatus& status) {
  double longest = 0;
  for (const GroupStatus& group : status.groups) {
    if (group.waiting) longest = std::max(longest, group.seconds);
  }
  return longest;
}

std::string missing_line(int rank, const std::vector<HeardStatus>& ranks, const Meeting& meeting) {
  const RankStatus& status = ranks[static_cast<std::size_t>(rank)].status;
  return fmt::format(
      "rank {} of {} on {} stalls: has not entered {} (it is in phase \"{}\" since {:.3g} s); {}",
      rank, ranks.size(), status.host, place_of(*meeting.awaited), status.phase,
      status.phase_seconds, list(meeting.waiting()));
}

// All are there, but not in the same collective, or nothing arrives.
std::string presence_line(const std::vector<HeardStatus>& ranks, const Meeting& meeting) {
  const GroupStatus& awaited = *meeting.awaited;
  for (const auto& [rank, group] : meeting.members) {
    if (group->entered != awaited.entered ||
        (group->operation == awaited.operation && group->label == awaited.label)) {
      continue;
    }
    const std::vector<int> waiting = meeting.waiting();
    int other = rank;
    for (const auto& [candidate, its] : meeting.members) {
      if (its == &awaited) other = candidate;
    }
    return fmt::format("ranks disagree: rank {} of {} on {} is in {}, rank {} on {} in {}", other,
                       ranks.size(), ranks[static_cast<std::size_t>(other)].status.host,
                       place_of(awaited), rank, ranks[static_cast<std::size_t>(rank)].status.host,
                       place_of(*group));
  }
  return fmt::format("all ranks have entered {}, but it does not end; {}", place_of(awaited),
                     list(meeting.waiting()));
}

// The phase of a rank, and its last collective, pending or not.
std::string activity(const RankStatus& status) {
  const GroupStatus* last = nullptr;
  for (const GroupStatus& group : status.groups) {
    const bool later = last && group.waiting == last->waiting && group.seconds < last->seconds;
    const bool pending = last && group.waiting && !last->waiting;
    if (group.entered > 0 && (!last || later || pending)) last = &group;
  }
  return fmt::format("phase \"{}\"{}{}", status.phase,
                     !last           ? ", before any collective"
                     : last->waiting ? ", inside "
                                     : ", after ",
                     last ? place_of(*last) : std::string());
}

// Who waits for a silent rank, and where: "; rank 0 waits for it in ...".
std::string awaited_in(std::size_t silent, const std::vector<HeardStatus>& ranks) {
  for (std::size_t other = 0; other < ranks.size(); ++other) {
    for (const GroupStatus& group : ranks[other].status.groups) {
      if (!group.waiting || other == silent) continue;
      for (const GroupStatus& own : ranks[silent].status.groups) {
        if (own.id != group.id || own.entered >= group.entered) continue;
        return fmt::format("; rank {} waits for it in {}", other, place_of(group));
      }
    }
  }
  return {};
}

// Nobody waits in a collective (they would say more, so they are given more time): a rank that
// computes, reads or writes for too long, alone or as all the others do. Drawing samples takes as
// long as it takes.
std::optional<std::string> idle_line(const std::vector<HeardStatus>& ranks, Seconds timeout) {
  const RankStatus* worst = nullptr;
  std::size_t rank = 0, stalled = 0;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const RankStatus& status = ranks[i].status;
    const bool stalls = !ranks[i].ended && status.idle > 1.5 * timeout.count() &&
                        status.phase != "samples" && longest_wait(status) == 0;
    if (!stalls) continue;
    ++stalled;
    if (!worst || status.idle > worst->idle) worst = &status, rank = i;
  }
  if (!worst) return std::nullopt;
  return fmt::format("rank {} of {} on {} stalls: no progress for {:.3g} s in {}{}", rank,
                     ranks.size(), worst->host, worst->idle, activity(*worst),
                     stalled > 1 ? fmt::format("; so do {} others", stalled - 1) : "");
}

// All have been heard of late; who has not may be somewhere else than he said.
bool all_are_heard(const std::vector<HeardStatus>& ranks, Seconds timeout) {
  return std::ranges::all_of(ranks, [&](const HeardStatus& rank) {
    return rank.ended || rank.silent <= timeout.count() / 2;
  });
}

}  // namespace

std::string silence_of(int rank, std::size_t ranks, const RankStatus& last_heard, double seconds) {
  return fmt::format(
      "rank {} of {} on {} stalls: no sign of life for {:.3g} s (last heard of in {})", rank, ranks,
      last_heard.host, seconds, activity(last_heard));
}

std::string stuck_line(const StuckMessages& stuck) {
  return fmt::format(
      "rank {} of {} on {} stalls: its messages stand still for {:.3g} s, {} rank {} on {} ({})",
      stuck.rank, stuck.ranks, stuck.host, stuck.seconds,
      stuck.sending ? "inside one to" : "and it hears nothing of", stuck.other,
      stuck.heard.status.host,
      stuck.heard.status.phase.empty() ? "not heard yet"
                                       : fmt::format("heard {:.3g} s ago in {}", stuck.heard.silent,
                                                     activity(stuck.heard.status)));
}

std::optional<std::string> diagnose(const std::vector<HeardStatus>& ranks, Seconds timeout) {
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    if (!ranks[rank].ended && ranks[rank].silent > timeout.count()) {
      return silence_of(static_cast<int>(rank), ranks.size(), ranks[rank].status,
                        ranks[rank].silent) +
             awaited_in(rank, ranks);
    }
  }
  const std::vector<Meeting> late = long_meetings(ranks, timeout);
  const auto missing_rank = [&](auto&& is_cause) -> std::optional<std::string> {
    for (const Meeting& meeting : late) {
      for (const int rank : meeting.missing()) {
        const double wait = longest_wait(ranks[static_cast<std::size_t>(rank)].status);
        if (is_cause(wait)) return missing_line(rank, ranks, meeting);
      }
    }
    return std::nullopt;
  };
  // A missing rank that itself waits for others is not the cause: first those that do not.
  if (auto line = missing_rank([](double wait) { return wait == 0; })) return line;
  for (const Meeting& meeting : late) {
    if (meeting.missing().empty() && all_are_heard(ranks, timeout)) {
      return presence_line(ranks, meeting);
    }
  }
  // They wait for each other. (A wait that is still short will show its own cause.)
  if (auto line = missing_rank([&](double wait) { return wait >= timeout.count(); })) return line;
  return idle_line(ranks, timeout);
}

std::string to_text(const RankStatus& status) { return dump_json(nlohmann::json(status)); }

RankStatus rank_status_from(std::string_view text) {
  return parse_json(text, "status of a rank").get<RankStatus>();
}

}  // namespace edt
