#include "launcher/machine/placement.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "launcher/text/report.h"

namespace edt {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(MemoryDomain, cores, memory)

namespace {

// What a rank tells the others of itself.
struct RankReport {
  std::string host;
  int process = 0;
  int job_cores = 0;  // of its node
  bool fixed_threads = false;
  CoreSet bound;
  std::vector<MemoryDomain> domains;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RankReport, host, process, job_cores, fixed_threads, bound,
                                   domains)

// Cores of this node that the job was given: by Slurm, else by mpirun all of them; what somebody
// else started was given what it may run on.
int job_cores(const std::vector<MemoryDomain>& domains, const CoreSet& bound) {
  std::size_t all = 0;
  for (const MemoryDomain& domain : domains) all += domain.cores.size();
  if (const char* text = std::getenv("SLURM_CPUS_ON_NODE")) {
    return std::clamp(std::atoi(text), 0, static_cast<int>(all));
  }
  return static_cast<int>(std::getenv("OMPI_COMM_WORLD_SIZE") ? all : bound.size());
}

RankReport own_report(const Communicator& ranks) {
  RankReport own{.host = ranks.host(),
                 .process = getpid(),
                 .fixed_threads = openmp_is_bound(),
                 .bound = bound_cores(),
                 .domains = memory_domains()};
  own.job_cores = job_cores(own.domains, own.bound);
  return own;
}

std::vector<RankReport> gather_reports(Communicator& ranks) {
  std::vector<RankReport> all;
  for (const std::string& text :
       ranks.gather(dump_json(nlohmann::json(own_report(ranks))), 0, "cores of the ranks")) {
    all.push_back(parse_json(text, "the cores of a rank").get<RankReport>());
  }
  return all;
}

// Ranks of each node, by the name of its host.
std::map<std::string, std::vector<std::size_t>> by_node(const std::vector<RankReport>& reports) {
  std::map<std::string, std::vector<std::size_t>> nodes;
  for (std::size_t i = 0; i < reports.size(); ++i) nodes[reports[i].host].push_back(i);
  return nodes;
}

// Where neither their launcher nor OpenMP has bound these ranks, which are processes of their own.
bool is_left_to_us(const std::vector<RankReport>& reports, const std::vector<std::size_t>& ranks) {
  std::set<int> processes;
  for (const std::size_t rank : ranks) {
    if (reports[rank].bound != reports[ranks.front()].bound) return false;
    if (reports[rank].fixed_threads) return false;
    processes.insert(reports[rank].process);
  }
  return processes.size() == ranks.size();
}

// For each rank the cores that it is to be bound to; none: it stays where it is.
std::vector<CoreSet> plan_of(const std::vector<RankReport>& reports) {
  std::vector<CoreSet> plan(reports.size());
  for (const auto& [host, ranks] : by_node(reports)) {
    if (!is_left_to_us(reports, ranks)) continue;
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      const RankReport& report = reports[ranks[i]];
      const auto share = share_of_domains(report.domains, report.bound,
                                          static_cast<int>(ranks.size()), static_cast<int>(i));
      if (share) plan[ranks[i]] = *share;
    }
  }
  return plan;
}

// Rank 0 plans for all.
CoreSet planned_cores(Communicator& ranks) {
  const std::vector<RankReport> reports = gather_reports(ranks);
  const std::string plan =
      ranks.broadcast(ranks.is_root() ? dump_json(nlohmann::json(plan_of(reports))) : std::string(),
                      0, "cores to bind to");
  return parse_json(plan, "the plan of cores")
      .at(static_cast<std::size_t>(ranks.rank()))
      .get<CoreSet>();
}

std::vector<NodePlacement> placements(const std::vector<RankReport>& reports) {
  std::vector<NodePlacement> nodes;
  for (const auto& [host, ranks] : by_node(reports)) {
    const RankReport& first = reports[ranks.front()];
    NodePlacement node{host, first.domains, first.job_cores, {}};
    for (const std::size_t rank : ranks) {
      node.ranks.push_back(
          {static_cast<int>(rank), reports[rank].bound, reports[rank].fixed_threads});
    }
    nodes.push_back(std::move(node));
  }
  std::sort(nodes.begin(), nodes.end(), [](const NodePlacement& a, const NodePlacement& b) {
    return a.ranks.front().rank < b.ranks.front().rank;
  });
  return nodes;
}

int domains_of(const CoreSet& cores, const std::vector<MemoryDomain>& domains) {
  return static_cast<int>(
      std::count_if(domains.begin(), domains.end(), [&](const MemoryDomain& domain) {
        return std::any_of(domain.cores.begin(), domain.cores.end(),
                           [&](int core) { return cores.contains(core); });
      }));
}

CoreSet used_cores(const NodePlacement& node) {
  CoreSet used;
  for (const RankPlace& rank : node.ranks) used.insert(rank.cores.begin(), rank.cores.end());
  return used;
}

std::string how_to_start(std::size_t domains) {
  return fmt::format("mpirun --map-by ppr:1:numa --bind-to numa, or srun --ntasks-per-node={}",
                     domains);
}

// Cores that the job has and no rank uses: mpirun binds each of one or two ranks to one core.
std::string idle_cores(const NodePlacement& node) {
  const CoreSet used = used_cores(node);
  const int idle = node.cores - static_cast<int>(used.size());
  if (used.empty() || idle <= 0) return {};
  return fmt::format("{} of {} cores of {} {} used by no rank, its {} run{} on {}: {}", idle,
                     node.cores, node.host, idle == 1 ? "is" : "are",
                     counted(node.ranks.size(), "rank"), node.ranks.size() == 1 ? "s" : "",
                     cores_text(used),
                     node.domains.size() > 1 ? how_to_start(node.domains.size())
                                             : "mpirun --bind-to none, or more cores for each");
}

std::string crowded_ranks(const NodePlacement& node) {
  const CoreSet used = used_cores(node);
  if (used.empty() || node.ranks.size() <= used.size()) return {};
  return fmt::format("{} ranks on {} share {}: {}", node.ranks.size(), node.host,
                     counted(used.size(), "core"), cores_text(used));
}

// Ranks that run in several memory domains.
std::string spread_ranks(const NodePlacement& node) {
  const auto count = std::count_if(
      node.ranks.begin(), node.ranks.end(),
      [&](const RankPlace& rank) { return domains_of(rank.cores, node.domains) > 1; });
  if (count == 0) return {};
  return fmt::format(
      "{} on {} {} in several of its {} memory domains: one rank for each domain "
      "would read its own memory ({})",
      counted(static_cast<std::uint64_t>(count), "rank"), node.host, count == 1 ? "runs" : "run",
      node.domains.size(), how_to_start(node.domains.size()));
}

// libgomp counts its places from the first core that a rank may run on.
std::string threads_on_threads(const NodePlacement& node) {
  for (const RankPlace& rank : node.ranks) {
    const auto beside =
        std::find_if(node.ranks.begin(), node.ranks.end(), [&](const RankPlace& other) {
          return other.rank != rank.rank && other.cores == rank.cores;
        });
    if (!rank.fixed_threads || beside == node.ranks.end()) continue;
    return fmt::format(
        "ranks {} and {} on {} may both run on cores {}, where OMP_PROC_BIND (or "
        "OMP_PLACES, GOMP_CPU_AFFINITY) puts their threads on the same ones: unset "
        "it, or have the launcher bind the ranks",
        rank.rank, beside->rank, node.host, cores_text(rank.cores));
  }
  return {};
}

}  // namespace

std::optional<CoreSet> share_of_domains(const std::vector<MemoryDomain>& domains,
                                        const CoreSet& cores, int ranks, int index) {
  std::vector<CoreSet> parts;
  for (const MemoryDomain& domain : domains) {
    CoreSet part;
    std::set_intersection(domain.cores.begin(), domain.cores.end(), cores.begin(), cores.end(),
                          std::inserter(part, part.end()));
    if (!part.empty()) parts.push_back(std::move(part));
  }
  const int count = static_cast<int>(parts.size());
  if (count < 2 || ranks < 2) return std::nullopt;
  if (ranks % count != 0 && count % ranks != 0) return std::nullopt;
  const auto is_smaller = [&](const CoreSet& part) { return part.size() != parts.front().size(); };
  if (std::any_of(parts.begin(), parts.end(), is_smaller)) return std::nullopt;
  const int first = index * count / ranks;
  const int last = std::max(first + 1, (index + 1) * count / ranks);
  CoreSet share;
  for (int part = first; part < last; ++part) {
    share.merge(parts[static_cast<std::size_t>(part)]);
  }
  return share;
}

std::vector<NodePlacement> place_ranks(Communicator& ranks, Binding binding) {
  if (binding == Binding::kMemoryDomains) {
    const CoreSet share = planned_cores(ranks);
    if (!share.empty()) bind_process(share);
  }
  return placements(gather_reports(ranks));
}

int sharing_ranks(const std::vector<NodePlacement>& nodes) {
  if (nodes.empty()) return 1;
  const std::vector<RankPlace>& ranks = nodes.front().ranks;
  return static_cast<int>(std::count_if(ranks.begin(), ranks.end(), [&](const RankPlace& rank) {
    return rank.cores == ranks.front().cores;
  }));
}

std::vector<std::string> placement_lines(const std::vector<NodePlacement>& nodes) {
  std::vector<std::string> lines;
  for (const NodePlacement& node : nodes) {
    if (node.domains.size() < 2) continue;
    std::vector<std::string> cores;
    for (const RankPlace& rank : node.ranks) cores.push_back(cores_text(rank.cores));
    lines.push_back(fmt::format("{} has {} memory domains, its {} run{} on cores {}", node.host,
                                node.domains.size(), counted(node.ranks.size(), "rank"),
                                node.ranks.size() == 1 ? "s" : "", fmt::join(cores, " | ")));
  }
  return lines;
}

std::vector<Finding> findings(const std::vector<NodePlacement>& nodes) {
  std::vector<Finding> all;
  for (const NodePlacement& node : nodes) {
    for (const std::string& text :
         {idle_cores(node), crowded_ranks(node), spread_ranks(node), threads_on_threads(node)}) {
      if (!text.empty()) all.push_back({false, text});
    }
  }
  return all;
}

nlohmann::ordered_json to_json(const NodePlacement& node) {
  auto json = nlohmann::ordered_json::object();
  json["host"] = node.host;
  json["memory_domains"] = nlohmann::ordered_json::array();
  for (const MemoryDomain& domain : node.domains) {
    json["memory_domains"].push_back(
        {{"cores", cores_text(domain.cores)}, {"memory_bytes", domain.memory}});
  }
  json["ranks"] = nlohmann::ordered_json::array();
  for (const RankPlace& rank : node.ranks) {
    json["ranks"].push_back({{"rank", rank.rank}, {"cores", cores_text(rank.cores)}});
  }
  return json;
}

}  // namespace edt
