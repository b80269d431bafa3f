#include "model/plan/collective_rounds.h"

#include <algorithm>

#include "parallel/comm/p2p_communicator.h"
#include "parallel/comm/rank_groups.h"
#include "parallel/comm/wire.h"

namespace edt {
namespace {

void add_reduce_groups(std::vector<Round>& rounds, const RankGroups& groups, double bytes) {
  for (int d = 1; d < groups.size; d *= 2) rounds.push_back({d, bytes / (2 * d), true});
}

// With its counterparts in all other groups at once. `bytes`: of the parts for all groups.
void add_exchange(std::vector<Round>& rounds, const RankGroups& groups, double bytes,
                  bool reduces) {
  if (groups.count == 1) return;
  rounds.push_back({groups.size, bytes / groups.count * (groups.count - 1), reduces, true});
}

void add_reduce_scatter(std::vector<Round>& rounds, const RankGroups& groups, double bytes) {
  add_reduce_groups(rounds, groups, bytes);
  add_exchange(rounds, groups, bytes / groups.size, true);
}

void add_all_gather(std::vector<Round>& rounds, const RankGroups& groups, double bytes) {
  add_exchange(rounds, groups, bytes / groups.size, false);
  for (int d = groups.size / 2; d > 0; d /= 2) rounds.push_back({d, bytes / (2 * d), false});
}

void add_small_all_reduce(std::vector<Round>& rounds, const RankGroups& groups, double bytes) {
  for (int d = 1; d < groups.size; d *= 2) rounds.push_back({d, bytes, true});
  add_exchange(rounds, groups, bytes * groups.count, true);
}

}  // namespace

std::vector<Round> collective_rounds(CollectiveKind kind, int ranks, double bytes, Wire wire) {
  std::vector<Round> rounds;
  const RankGroups groups = RankGroups::of(ranks);
  const double travelling = bytes * wire_share(wire);
  switch (kind) {
    case CollectiveKind::kReduceScatter:
      if (rounds_once(wire)) {
        add_exchange(rounds, {ranks, 1}, travelling, true);
      } else {
        add_reduce_scatter(rounds, groups, travelling);
      }
      break;
    case CollectiveKind::kReduceGroups:
      add_reduce_groups(rounds, groups, travelling);
      break;
    case CollectiveKind::kFoldGroups:
      add_exchange(rounds, groups, travelling, true);
      break;
    case CollectiveKind::kAllGather:
      add_all_gather(rounds, groups, bytes);
      break;
    case CollectiveKind::kAllReduce:
      if (bytes <= static_cast<double>(TransportOptions{}.whole_bytes)) {
        add_small_all_reduce(rounds, groups, bytes);
      } else {
        add_reduce_scatter(rounds, groups, bytes);
        add_all_gather(rounds, groups, bytes);
      }
  }
  return rounds;
}

double wire_bytes(CollectiveKind kind, int ranks, double bytes, Wire wire) {
  double sum = 0;
  for (const Round& round : collective_rounds(kind, ranks, bytes, wire)) sum += round.bytes;
  return sum;
}

double collective_seconds(const PlannedCollective& collective, const Cluster& cluster) {
  const Placement& placement = collective.placement;
  const int reach = (placement.ranks - 1) * placement.stride;  // between first and last rank
  const bool leaves_node =
      cluster.nodes > 1 &&
      (reach >= cluster.devices ||
       (placement.is_repeated && cluster.devices % (placement.ranks * placement.stride) != 0));
  // All ranks of a node leave it at once, through the adapters it has.
  const double sharing = std::max(
      1.0, static_cast<double>(std::min(cluster.devices, placement.ranks * placement.stride)) /
               cluster.adapters);
  double seconds = 0;
  for (const Round& round :
       collective_rounds(collective.kind, placement.ranks, collective.bytes, collective.wire)) {
    const int apart = round.distance * placement.stride;
    const bool crosses = leaves_node && (round.spans_all || cluster.devices % (2 * apart) != 0);
    const Link& link = crosses ? cluster.inter : cluster.intra;
    seconds += link.round_seconds(round.bytes * (crosses ? sharing : 1), round.reduces);
  }
  return seconds;
}

}  // namespace edt
