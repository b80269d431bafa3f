#include "launcher/plan/link_timing.h"

#include <omp.h>

#include <array>
#include <atomic>
#include <limits>
#include <set>
#include <thread>

#include "core/base/clock.h"
#include "core/base/median.h"
#include "launcher/machine/measuring.h"
#include "launcher/text/report.h"

namespace edt {

namespace {

// A pair's communicator; of one rank where it is its own partner.
std::unique_ptr<Communicator> pair_of(Communicator& world, int partner) {
  return world.split(std::min(world.rank(), partner), world.rank(), "pairs");
}

// One round sends half of the buffer.
class Exchange {
 public:
  Exchange(Communicator& pair, double round_bytes)
      : pair_(pair),
        buffer_(2 *
                std::max<std::size_t>(static_cast<std::size_t>(round_bytes) / sizeof(float), 1)) {
    const auto size = static_cast<std::int64_t>(buffer_.size());
    bounds_ = {0, size / 2, size};
  }
  void gather() {
    if (pair_.size() == 2) pair_.all_gather_parts(whole(), bounds_, "calibration");
  }
  void reduce() {
    if (pair_.size() == 2) {
      pair_.reduce_scatter_parts(whole(), bounds_, Wire::kExact, "calibration");
    }
  }

 private:
  Tensor whole() {
    return view_of(std::span(buffer_), {static_cast<std::int64_t>(buffer_.size())});
  }

  Communicator& pair_;
  std::vector<float> buffer_;
  std::vector<std::int64_t> bounds_;
};

// Median over several calls, of the slowest rank.
template <class F>
double time(Communicator& world, F call) {
  call();
  std::vector<double> times;
  double spent = 0;
  while (times.size() < 5 || (times.size() < 25 && spent < 0.1)) {
    world.barrier("calibration");
    const auto begin = Clock::now();
    call();
    const double seconds = seconds_since(begin);
    times.push_back(world.all_reduce_value(seconds, Reduce::kMax, "calibration"));
    spent += times.back();
    if (spent > 4 && times.size() >= 3) break;  // a slow link
  }
  return median(times);
}

// Seconds of one of many in a row, as they come beside communication too: on this rank.
double time_in_a_row(const std::function<void()>& compute) {
  compute();
  const auto begin = Clock::now();
  int count = 0;
  double seconds = 0;
  while (seconds < 0.2) {
    compute();
    ++count;
    seconds = seconds_since(begin);
  }
  return seconds / count;
}

// What one thread computed and another sent at once.
struct AtOnce {
  int kernels = 0, rounds = 0;
  double computing = 0, communicating = 0;  // s
};

AtOnce compute_and_communicate(Communicator& world, Exchange& exchange, double alone,
                               const std::function<void()>& compute) {
  AtOnce overlap{.rounds = std::clamp(static_cast<int>(1.0 / alone), 2, 100)};
  std::atomic<bool> done{false};
  world.barrier("calibration");
  const auto begin = Clock::now();
  std::thread thread([&] {
    omp_set_num_threads(1);
    for (int i = 0; i < overlap.rounds; ++i) exchange.reduce();
    overlap.communicating = seconds_since(begin);
    done = true;
  });
  while (!done) {
    compute();
    ++overlap.kernels;
    overlap.computing = seconds_since(begin);
  }
  thread.join();
  return overlap;
}

}  // namespace

Hosts find_hosts(Communicator& world) {
  std::string list;
  for (const std::string& host : world.gather(world.host(), 0, "hosts")) list += host + '\n';
  list = world.broadcast(list, 0, "hosts");
  std::vector<std::pair<std::string, int>> runs;  // of ranks on one host
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t end = list.find('\n', begin);
    std::string host = list.substr(begin, end - begin);
    if (runs.empty() || host != runs.back().first) runs.emplace_back(std::move(host), 0);
    ++runs.back().second;
    begin = end + 1;
  }
  std::set<std::string_view> known;
  for (const auto& [host, ranks] : runs) {
    require<UsageError>(known.insert(host).second, "nodes",
                        "ranks of {} are not neighbours: mpirun --map-by slot, or srun -m block",
                        host);
  }
  for (const auto& [host, ranks] : runs) {
    require<UsageError>(ranks == runs.front().second, "nodes",
                        "{} has {}, {} has {}: start the same number on each", runs.front().first,
                        counted(static_cast<std::uint64_t>(runs.front().second), "rank"), host,
                        ranks);
  }
  return {static_cast<int>(runs.size()), runs.front().second};
}

int partner_in_node(int rank, const Hosts& hosts) {
  const int place = rank % hosts.ranks_of_node, beside = place ^ 1;
  return beside < hosts.ranks_of_node ? rank - place + beside : rank;
}

int partner_between_nodes(int rank, const Hosts& hosts) {
  const int node = rank / hosts.ranks_of_node, next = node ^ 1;
  return next < hosts.nodes ? rank + (next - node) * hosts.ranks_of_node : rank;
}

Link time_link(Communicator& world, int partner) {
  constexpr std::array<double, 8> kSizes{256,     4096,    32 << 10, 256 << 10,
                                         1 << 20, 4 << 20, 16 << 20, 32 << 20};
  constexpr double kLongest = 0.8;  // s; larger rounds follow from the rate
  const auto pair = pair_of(world, partner);
  Link link;
  for (const double size : kSizes) {
    Exchange exchange(*pair, size);
    link.bytes.push_back(size);
    link.exchange_seconds.push_back(time(world, [&] { exchange.gather(); }));
    link.reduce_seconds.push_back(time(world, [&] { exchange.reduce(); }));
    if (link.reduce_seconds.back() > kLongest) break;
  }
  link.latency = link.exchange_seconds.front();
  link.bandwidth = link.bytes.back() / link.exchange_seconds.back();
  const double adding = link.reduce_seconds.back() - link.exchange_seconds.back();
  link.reduce_bandwidth = adding > 0 ? link.bytes.back() / adding : 0;
  return link;
}

PairExchange::PairExchange(Communicator& world, int partner, double bytes)
    : pair_(pair_of(world, partner)), bytes_(bytes) {}

double PairExchange::seconds() {
  if (pair_->size() < 2) return 0;
  Exchange exchange(*pair_, bytes_);
  exchange.gather();  // connects
  pair_->barrier("exchange");
  return seconds_of([&] { exchange.gather(); });
}

OverlapRates time_overlap(Communicator& world, int partner, const std::function<void()>& compute) {
  const auto pair = pair_of(world, partner);
  Exchange exchange(*pair, 8 << 20);  // of the order of a bucket
  const double alone = time(world, [&] { exchange.reduce(); });
  std::vector<double> of_compute, of_communication;
  for (int turn = 0; turn < 3; ++turn) {  // other programs may come between
    world.barrier("calibration");
    const double kernel = time_in_a_row(compute);
    const AtOnce seconds = compute_and_communicate(world, exchange, alone, compute);
    const auto mean = [&](double rate) {
      const double mine = pair->size() == 2 ? rate : 1;  // without a partner there is no overlap
      return world.all_reduce_value(mine, Reduce::kSum, "calibration") / world.size();
    };
    of_compute.push_back(mean(seconds.kernels * kernel / seconds.computing));
    of_communication.push_back(mean(seconds.rounds * alone / seconds.communicating));
  }
  return {std::min(1.0, median(of_compute)), std::min(1.0, median(of_communication))};
}

}  // namespace edt
