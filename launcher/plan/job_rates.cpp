#include "launcher/plan/job_rates.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/median.h"
#include "core/json/json_text.h"
#include "launcher/plan/link_timing.h"
#include "launcher/text/report.h"
#include "model/plan/gemms.h"

namespace edt {
namespace {

constexpr double kSlower = 1.2;  // a fifth, as stragglers of a run
constexpr double kExchangeBytes = 4 << 20;
constexpr int kSamples = 3;

struct OwnRates {
  std::string host;
  double products = 0, memory = 0, exchange = 0;
  std::vector<double> rounds;  // bytes/s with the partner of each; 0: waited
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(OwnRates, host, products, memory, exchange, rounds)

// The matrix products of the step, over and over.
class Products {
 public:
  Products(const PlannedStep& step, Backend& backend)
      : ceiling_(backend.matmul_ceiling(training_gemms(step), step.engine.dtype)) {
    require<UsageError>(ceiling_ != nullptr, "doctor",
                        "the {} backend has no matrix products to measure", backend.name());
    ceiling_->run();
  }
  double rate() { return ceiling_->flops() / ceiling_->run(); }

 private:
  std::unique_ptr<MatmulCeiling> ceiling_;
};

// Copies of a buffer that this rank's share of the caches does not hold.
class Copies {
 public:
  Copies(Backend& backend, int ranks_of_node)
      : backend_(backend),
        bytes_(bytes(backend, ranks_of_node)),
        block_(backend.memory(), 2 * bytes_) {
    backend_.zero(half(0));
    backend_.copy(half(0), half(1));
  }
  double rate() {
    return 2 * static_cast<double>(bytes_) /
           backend_.seconds_of([&] { backend_.copy(half(0), half(1)); });
  }

 private:
  static std::size_t bytes(const Backend& backend, int ranks_of_node) {
    constexpr std::size_t kLeast = 16 << 20, kMost = 512 << 20, kGpu = 128 << 20;
    if (!backend.in_host_memory()) return kGpu;
    const long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);  // 0: not known
    const auto all = 2 * static_cast<std::size_t>(std::max(0L, cache));
    return std::clamp(all / static_cast<std::size_t>(ranks_of_node), kLeast, kMost) &
           ~std::size_t{63};
  }
  Tensor half(std::size_t i) const {
    return {static_cast<std::byte*>(block_.data()) + i * bytes_,
            {static_cast<std::int64_t>(bytes_ / sizeof(float))},
            DType::kFloat32};
  }

  Backend& backend_;
  std::size_t bytes_;
  Block block_;
};

double exchange_rate(PairExchange& pair) {
  const double seconds = pair.seconds();
  return seconds > 0 ? kExchangeBytes / seconds : 0;
}

int rounds_of(int nodes) {
  const int all = nodes < 2 ? 0 : nodes - 1 + nodes % 2;
  return std::min(all, kMostRounds);
}

// The samples of a figure are taken in turn with those of all others, so that what disturbs one of
// them for a while leaves the next one alone.
OwnRates measure_own(const PlannedStep& step, Backend& backend, const Hosts& hosts,
                     Communicator& world) {
  OwnRates own{.host = world.host()};
  Products products(step, backend);
  Copies copies(backend, hosts.ranks_of_node);
  PairExchange beside(world, partner_in_node(world.rank(), hosts), kExchangeBytes);
  std::vector<PairExchange> pairs;
  const int node = world.rank() / hosts.ranks_of_node;
  for (int round = 0; round < rounds_of(hosts.nodes); ++round) {
    const int away = partner_of(node, round, hosts.nodes) - node;
    pairs.emplace_back(world, world.rank() + away * hosts.ranks_of_node, kExchangeBytes);
  }
  own.rounds.resize(pairs.size());
  const auto take = [&](double& fastest, auto measure) {
    world.barrier("rates");
    fastest = std::max(fastest, measure());
  };
  for (int sample = 0; sample < kSamples; ++sample) {
    take(own.products, [&] { return products.rate(); });
    take(own.memory, [&] { return copies.rate(); });
    take(own.exchange, [&] { return exchange_rate(beside); });
    for (std::size_t round = 0; round < pairs.size(); ++round) {
      take(own.rounds[round], [&] { return exchange_rate(pairs[round]); });
    }
  }
  return own;
}

// Rates of 0 were not measured.
void take_slower(RankRate& slowest, int rank, double rate) {
  if (rate > 0 && (slowest.rate == 0 || rate < slowest.rate)) slowest = {rank, rate};
}

JobRates compare(const std::vector<OwnRates>& ranks, const Hosts& hosts) {
  JobRates job;
  job.nodes.resize(static_cast<std::size_t>(hosts.nodes));
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const int rank = static_cast<int>(i);
    NodeRates& node = job.nodes[static_cast<std::size_t>(rank / hosts.ranks_of_node)];
    node.host = ranks[i].host;
    take_slower(node.products, rank, ranks[i].products);
    take_slower(node.memory, rank, ranks[i].memory);
    take_slower(node.exchange, rank, ranks[i].exchange);
  }
  for (int round = 0; round < rounds_of(hosts.nodes); ++round) {
    for (int node = 0; node < hosts.nodes; ++node) {
      const int partner = partner_of(node, round, hosts.nodes);
      if (partner <= node) continue;
      RankRate slowest;
      for (const int one : {node, partner}) {
        for (int place = 0; place < hosts.ranks_of_node; ++place) {
          const int rank = one * hosts.ranks_of_node + place;
          take_slower(
              slowest, rank,
              ranks[static_cast<std::size_t>(rank)].rounds[static_cast<std::size_t>(round)]);
        }
      }
      job.links.push_back({node, partner, slowest.rate * hosts.ranks_of_node});
    }
  }
  return job;
}

// That of most: of two the faster one.
double usual(const std::vector<double>& rates) {
  std::vector<double> seconds;
  for (const double rate : rates) seconds.push_back(1 / rate);
  return 1 / lower_median(seconds);
}

bool is_slow(double rate, double usual) { return rate * kSlower < usual; }

// Each node's usual link; 0 where it has none.
std::vector<double> usual_links(const JobRates& job) {
  std::vector<std::vector<double>> of_node(job.nodes.size());
  for (const LinkRate& link : job.links) {
    of_node[static_cast<std::size_t>(link.first)].push_back(link.rate);
    of_node[static_cast<std::size_t>(link.second)].push_back(link.rate);
  }
  std::vector<double> rates;
  for (const auto& links : of_node) rates.push_back(links.empty() ? 0 : usual(links));
  return rates;
}

std::string rate_text(double bytes) { return human_bytes(bytes) + "/s"; }

void compare_nodes(const JobRates& job, RankRate NodeRates::*figure, std::string_view does,
                   const std::function<std::string(double)>& text, std::vector<Finding>& found) {
  std::vector<double> rates;
  for (const NodeRates& node : job.nodes) {
    if ((node.*figure).rate > 0) rates.push_back((node.*figure).rate);
  }
  if (rates.size() < 2) return;
  const double most = usual(rates);
  for (const NodeRates& node : job.nodes) {
    const RankRate& slowest = node.*figure;
    if (slowest.rate == 0 || !is_slow(slowest.rate, most)) continue;
    found.push_back(
        {false, fmt::format("{} is slow: its rank {} {} at {}, most nodes at {}", node.host,
                            slowest.rank, does, text(slowest.rate), text(most))});
  }
}

void compare_links(const JobRates& job, std::vector<Finding>& found) {
  if (job.links.size() < 2) return;
  const std::vector<double> of_node = usual_links(job);
  const double most = usual(of_node);
  std::vector<bool> slow;
  for (std::size_t i = 0; i < of_node.size(); ++i) {
    slow.push_back(is_slow(of_node[i], most));
    if (!slow.back()) continue;
    found.push_back(
        {false, fmt::format("{} is slow: it exchanges {} with other nodes, most nodes {}",
                            job.nodes[i].host, rate_text(of_node[i]), rate_text(most))});
  }
  for (const LinkRate& link : job.links) {
    const auto first = static_cast<std::size_t>(link.first);
    const auto second = static_cast<std::size_t>(link.second);
    const double usual_here = std::min(of_node[first], of_node[second]);
    if (slow[first] || slow[second] || !is_slow(link.rate, usual_here)) continue;
    found.push_back(
        {false, fmt::format("the link between {} and {} is slow: {}, others of these nodes {}",
                            job.nodes[first].host, job.nodes[second].host, rate_text(link.rate),
                            rate_text(usual_here))});
  }
}

}  // namespace

int partner_of(int node, int round, int nodes) {
  const int even = nodes + nodes % 2;  // the last one of an odd number meets nobody
  const int turning = even - 1;
  if (node == turning) return round % turning;
  const int met = (2 * round - node % turning + 2 * turning) % turning;
  const int partner = met == node ? turning : met;
  return partner < nodes ? partner : node;
}

JobRates measure_job(const PlannedStep& step, Backend& backend, Communicator& world) {
  const Hosts hosts = find_hosts(world);
  const OwnRates own = measure_own(step, backend, hosts, world);
  std::vector<OwnRates> all;
  for (const std::string& text : world.gather(dump_json(nlohmann::json(own)), 0, "rates")) {
    all.push_back(parse_json(text, "the rates of a rank").get<OwnRates>());
  }
  return world.is_root() ? compare(all, hosts) : JobRates();
}

std::vector<Finding> findings(const JobRates& rates) {
  std::vector<Finding> found;
  compare_nodes(rates, &NodeRates::products, "multiplies matrices", human_flops, found);
  compare_nodes(rates, &NodeRates::memory, "copies memory", rate_text, found);
  compare_nodes(rates, &NodeRates::exchange, "exchanges with another of the node", rate_text,
                found);
  compare_links(rates, found);
  return found;
}

std::string rates_text(const JobRates& rates) {
  if (rates.nodes.empty()) return {};
  Table table({"measured", "products", "memory", "within the node", "to other nodes"});
  const std::vector<double> links = usual_links(rates);
  const auto text = [](double rate) { return rate > 0 ? rate_text(rate) : std::string("-"); };
  for (std::size_t i = 0; i < rates.nodes.size(); ++i) {
    const NodeRates& node = rates.nodes[i];
    table.add({node.host, human_flops(node.products.rate), text(node.memory.rate),
               text(node.exchange.rate), text(links[i])});
  }
  return table.text();
}

nlohmann::ordered_json to_json(const JobRates& rates) {
  const auto slowest = [](const RankRate& rate) {
    return rate.rate > 0 ? nlohmann::ordered_json{{"rank", rate.rank}, {"rate", rate.rate}}
                         : nlohmann::ordered_json(nullptr);
  };
  auto json = nlohmann::ordered_json::object();
  json["nodes"] = nlohmann::ordered_json::array();
  for (const NodeRates& node : rates.nodes) {
    json["nodes"].push_back({{"host", node.host},
                             {"products_flops", slowest(node.products)},
                             {"memory_bytes", slowest(node.memory)},
                             {"exchange_bytes", slowest(node.exchange)}});
  }
  json["links"] = nlohmann::ordered_json::array();
  for (const LinkRate& link : rates.links) {
    json["links"].push_back({{"nodes",
                              {rates.nodes[static_cast<std::size_t>(link.first)].host,
                               rates.nodes[static_cast<std::size_t>(link.second)].host}},
                             {"bytes", link.rate}});
  }
  return json;
}

}  // namespace edt
