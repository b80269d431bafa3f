#include "model/plan/collective_rounds.h"

#include <algorithm>
#include <bit>

#include "parallel/comm/p2p_communicator.h"

namespace edt {
namespace {

void add_reduce_scatter(std::vector<Round>& rounds, int ranks, double bytes) {
  const int power = static_cast<int>(std::bit_floor(static_cast<unsigned>(ranks)));
  const bool extra = power != ranks;
  if (extra) rounds.push_back({power, bytes, true});
  for (int d = 1; d < power; d *= 2) rounds.push_back({d, bytes / (2 * d), true});
  if (extra) rounds.push_back({power, bytes / ranks, false});
}

void add_all_gather(std::vector<Round>& rounds, int ranks, double bytes) {
  if (std::has_single_bit(static_cast<unsigned>(ranks))) {
    for (int d = ranks / 2; d > 0; d /= 2) rounds.push_back({d, bytes / (2 * d), false});
    return;
  }
  for (int step = 0; step + 1 < ranks; ++step) rounds.push_back({1, bytes / ranks, false});
}

void add_small_all_reduce(std::vector<Round>& rounds, int ranks, double bytes) {
  const int power = static_cast<int>(std::bit_floor(static_cast<unsigned>(ranks)));
  const bool extra = power != ranks;
  if (extra) rounds.push_back({power, bytes, true});
  for (int d = 1; d < power; d *= 2) rounds.push_back({d, bytes, true});
  if (extra) rounds.push_back({power, bytes, false});
}

}  // namespace

std::vector<Round> collective_rounds(CollectiveKind kind, int ranks, double bytes,
                                     double wire_share) {
  std::vector<Round> rounds;
  if (ranks == 1) return rounds;
  switch (kind) {
    case CollectiveKind::kReduceScatter:
      add_reduce_scatter(rounds, ranks, bytes * wire_share);
      break;
    case CollectiveKind::kAllGather:
      add_all_gather(rounds, ranks, bytes);
      break;
    case CollectiveKind::kAllReduce:
      if (bytes <= static_cast<double>(TransportOptions{}.whole_bytes)) {
        add_small_all_reduce(rounds, ranks, bytes);
      } else {
        add_reduce_scatter(rounds, ranks, bytes);
        add_all_gather(rounds, ranks, bytes);
      }
  }
  return rounds;
}

double wire_bytes(CollectiveKind kind, int ranks, double bytes, double wire_share) {
  double sum = 0;
  for (const Round& round : collective_rounds(kind, ranks, bytes, wire_share)) sum += round.bytes;
  return sum;
}

double collective_seconds(const PlannedCollective& collective, const Placement& placement,
                          const Cluster& cluster) {
  const int reach = (placement.ranks - 1) * placement.stride;  // between first and last rank
  // All ranks of a node leave it at once, through the adapters it has.
  const double sharing = std::max(
      1.0, static_cast<double>(std::min(cluster.devices, placement.ranks * placement.stride)) /
               cluster.adapters);
  double seconds = 0;
  for (const Round& round : collective_rounds(collective.kind, placement.ranks, collective.bytes,
                                              collective.wire_share)) {
    const int apart = round.distance * placement.stride;
    const bool crosses =
        cluster.nodes > 1 && reach >= cluster.devices && cluster.devices % (2 * apart) != 0;
    const Link& link = crosses ? cluster.inter : cluster.intra;
    seconds += link.round_seconds(round.bytes * (crosses ? sharing : 1), round.reduces);
  }
  return seconds;
}

}  // namespace edt
