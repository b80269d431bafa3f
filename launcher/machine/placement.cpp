#include "launcher/machine/placement.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/json/json_text.h"
#include "launcher/machine/cgroup.h"
#include "launcher/text/report.h"

namespace edt {

namespace {

// Cores of this node that the job was given: by Slurm, else by mpirun all of them; what somebody
// else started was given what it may run on. A quota may allow less.
int job_cores(const std::vector<MemoryDomain>& domains, const CoreSet& used) {
  std::size_t all = 0;
  for (const MemoryDomain& domain : domains) all += domain.cores.size();
  int cores = static_cast<int>(std::getenv("OMPI_COMM_WORLD_SIZE") ? all : used.size());
  if (const char* text = std::getenv("SLURM_CPUS_ON_NODE")) {
    cores = std::clamp(std::atoi(text), 0, static_cast<int>(all));
  }
  const auto quota = cgroup_limits().cpus;
  return quota ? std::min(cores, static_cast<int>(std::ceil(*quota))) : cores;
}

RankReport own_report(const Communicator& ranks) {
  RankReport own{.host = ranks.host(),
                 .process = getpid(),
                 .fixed_threads = openmp_is_bound(),
                 .bound = bound_cores(),
                 .domains = memory_domains()};
  own.used = whole_cores(own.bound);
  own.job_cores = job_cores(own.domains, own.used);
  return own;
}

// Cores as ranges: there may be hundreds of them, and thousands of ranks.
std::string text_of(const RankReport& report) {
  nlohmann::json json{{"host", report.host},
                      {"process", report.process},
                      {"job_cores", report.job_cores},
                      {"fixed_threads", report.fixed_threads},
                      {"bound", cores_text(report.bound)},
                      {"used", cores_text(report.used)},
                      {"domains", nlohmann::json::array()}};
  for (const MemoryDomain& domain : report.domains) {
    json["domains"].push_back({cores_text(domain.cores), domain.memory});
  }
  return dump_json(json);
}

RankReport parse_report(const std::string& text) {
  const auto json = parse_json(text, "the cores of a rank");
  RankReport report{.host = json.at("host"),
                    .process = json.at("process"),
                    .job_cores = json.at("job_cores"),
                    .fixed_threads = json.at("fixed_threads"),
                    .bound = parse_cores(json.at("bound").get<std::string>()),
                    .used = parse_cores(json.at("used").get<std::string>())};
  for (const auto& domain : json.at("domains")) {
    report.domains.push_back({parse_cores(domain.at(0).get<std::string>()), domain.at(1)});
  }
  return report;
}

std::vector<RankReport> gather_reports(Communicator& ranks) {
  std::vector<RankReport> all;
  for (const std::string& text :
       ranks.gather(text_of(own_report(ranks)), 0, "cores of the ranks")) {
    all.push_back(parse_report(text));
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

// Of this rank; the first one plans for all.
NodeShare planned_share(Communicator& ranks) {
  std::string plan;  // two numbers of each rank
  for (const NodeShare& share : shares_of(gather_reports(ranks))) {
    plan += fmt::format("{} {} ", share.ranks, share.index);
  }
  std::istringstream numbers(ranks.broadcast(plan, 0, "shares of cores"));
  NodeShare own;
  for (int rank = 0; rank <= ranks.rank(); ++rank) numbers >> own.ranks >> own.index;
  return own;
}

std::vector<NodePlacement> placements(const std::vector<RankReport>& reports) {
  std::vector<NodePlacement> nodes;
  for (const auto& [host, ranks] : by_node(reports)) {
    const RankReport& first = reports[ranks.front()];
    NodePlacement node{host, first.domains, first.job_cores, {}};
    for (const std::size_t rank : ranks) {
      node.ranks.push_back({static_cast<int>(rank), reports[rank].bound, reports[rank].used,
                            reports[rank].fixed_threads});
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
  for (const RankPlace& rank : node.ranks) used.insert(rank.used.begin(), rank.used.end());
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
                                             : "mpirun --bind-to none, or srun --cpus-per-task");
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

std::vector<NodeShare> shares_of(const std::vector<RankReport>& reports) {
  std::vector<NodeShare> shares(reports.size());
  for (const auto& [host, ranks] : by_node(reports)) {
    if (!is_left_to_us(reports, ranks)) continue;
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      shares[ranks[i]] = {static_cast<int>(ranks.size()), static_cast<int>(i)};
    }
  }
  return shares;
}

std::vector<NodePlacement> place_ranks(Communicator& ranks, Binding binding) {
  if (!ranks.any(binding == Binding::kAsStarted, "binding")) {
    const NodeShare share = planned_share(ranks);
    const auto cores = share_of_domains(memory_domains(), bound_cores(), share.ranks, share.index);
    if (cores) bind_process(*cores);
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
