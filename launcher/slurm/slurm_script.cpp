#include "launcher/slurm/slurm_script.h"

#include <fmt/format.h>

#include <cctype>
#include <regex>

#include "core/base/error.h"
#include "core/base/shell_text.h"
#include "core/storage/durable_file.h"
#include "launcher/slurm/slurm_recipe.h"

namespace edt {
namespace {

// What a directive holds ends at a line's end, whatever quotes say.
void require_one_line(const std::string& option, const std::string& value) {
  require<UsageError>(value.find('\n') == value.npos, "slurm", "{} has more than one line", option);
}

}  // namespace

void SlurmRequest::declare(OptionSet& options) {
  options.section("slurm", "Job");
  const auto add = [&](auto&&... arguments) -> Option& {
    return options.add(std::forward<decltype(arguments)>(arguments)...).command_line_only();
  };
  add("slurm.nodes", &nodes, "nodes").alias("nodes").range(1, 100000);
  add("slurm.gpus-per-node", &gpus_per_node, "GPUs of each node; 0: trains on the CPU")
      .alias("gpus-per-node")
      .range(0, 1024);
  add("slurm.ranks-per-node", &ranks_per_node, "ranks on each node; 0: one per GPU, or one")
      .alias("ranks-per-node")
      .range(0, 1024);
  add("slurm.cores-per-rank", &cores_per_rank, "cores of each rank; 0: its share of the node")
      .alias("cores-per-rank")
      .range(0, 4096);
  add("slurm.time", &time, "time limit, as Slurm writes it").alias("time");
  add("slurm.warn", &warn, "how long before the limit the run is told to save")
      .unit("s")
      .range(30, 65535)
      .alias("warn");
  add("slurm.name", &name, "name of the job").alias("name");
  add("slurm.partition", &partition, "partition").alias("partition");
  add("slurm.account", &account, "account").alias("account");
  add("slurm.qos", &qos, "quality of service").alias("qos");
  add("slurm.constraint", &constraint, "features of the nodes").alias("constraint");
  add("slurm.mem", &memory, "memory of each node, as Slurm writes it: 180G").alias("mem");
  add("slurm.plan-cluster", &plan_cluster,
      "cluster of edt plan, by name or file, that says how much memory a device has")
      .alias("plan-cluster");
  add("slurm.extra", &extra, "more options of sbatch: --mail-type=END,--exclude=node7");
  add("slurm.cluster", &cluster_file, "settings of the cluster in place of slurm/cluster.sh");
}

int SlurmRequest::ranks_of_node() const {
  if (ranks_per_node > 0) return ranks_per_node;
  return gpus_per_node > 0 ? gpus_per_node : 1;
}

long slurm_seconds(const std::string& time) {
  static const std::regex form(
      "(?:(\\d+)-(\\d+)(?::(\\d+))?(?::(\\d+))?)|(\\d+)(?::(\\d+))?(?::(\\d+))?");
  std::smatch parts;
  require<UsageError>(std::regex_match(time, parts, form), "slurm",
                      "slurm.time is '{}', not minutes, hours:minutes:seconds or "
                      "days-hours:minutes:seconds",
                      time);
  const auto part = [&](std::size_t i) { return parts[i].matched ? std::stol(parts[i]) : 0L; };
  if (parts[1].matched) return ((part(1) * 24 + part(2)) * 60 + part(3)) * 60 + part(4);
  if (parts[7].matched) return (part(5) * 60 + part(6)) * 60 + part(7);
  return part(5) * 60 + part(6);
}

std::optional<double> slurm_bytes(const std::string& size) {
  static const std::regex form("(\\d+)([KMGT]?)[Bb]?", std::regex::icase);
  std::smatch parts;
  require<UsageError>(std::regex_match(size, parts, form), "slurm",
                      "slurm.mem is '{}', not a number with K, M, G or T behind it", size);
  double bytes = std::stod(parts[1]);
  if (bytes == 0) return std::nullopt;
  const std::string unit = parts[2].length() == 0 ? "M" : parts[2].str();
  const auto power = std::string_view("KMGT").find(static_cast<char>(std::toupper(unit[0])));
  for (std::size_t i = 0; i <= power; ++i) bytes *= 1024;
  return bytes;
}

std::optional<double> SlurmRequest::node_memory() const {
  if (!memory.empty()) return slurm_bytes(memory);
  constexpr std::string_view kOption = "--mem=";
  for (const std::string& directive : extra) {
    if (directive.starts_with(kOption)) return slurm_bytes(directive.substr(kOption.size()));
  }
  return std::nullopt;
}

std::string slurm_script(const SlurmRequest& request, const std::filesystem::path& program,
                         const std::filesystem::path& configuration,
                         const std::filesystem::path& run) {
  std::vector<std::string> directives{"--job-name=" + request.name,
                                      fmt::format("--nodes={}", request.nodes),
                                      fmt::format("--ntasks-per-node={}", request.ranks_of_node()),
                                      "--exclusive",
                                      "--time=" + request.time,
                                      fmt::format("--signal=B:USR1@{}", request.warn),
                                      "--requeue",
                                      "--open-mode=append",
                                      "--output=" + (run / "slurm-%j.out").string()};
  const auto add = [&](std::string_view option, const std::string& value) {
    if (!value.empty()) directives.push_back(fmt::format("--{}={}", option, value));
  };
  if (request.gpus_per_node > 0) add("gpus-per-node", std::to_string(request.gpus_per_node));
  if (request.cores_per_rank > 0) add("cpus-per-task", std::to_string(request.cores_per_rank));
  add("partition", request.partition);
  add("account", request.account);
  add("qos", request.qos);
  add("constraint", request.constraint);
  add("mem", request.memory);
  directives.insert(directives.end(), request.extra.begin(), request.extra.end());

  std::string text = "#!/usr/bin/env bash\n# Written by edt slurm. Submit it with sbatch.\n";
  for (const std::string& directive : directives) {
    require_one_line("a directive", directive);
    text += "#SBATCH " + shell_quoted(directive) + "\n";
  }
  text += fmt::format("set -euo pipefail\nEDT=${{EDT:-{}}}\n\n", shell_quoted(program.string()));
  text +=
      request.cluster_file.empty() ? std::string(kClusterScript) : read_text(request.cluster_file);
  text += "\n" + std::string(kJobScript);
  text += fmt::format("\nedt_train --config {} --run.dir {} \"$@\"\n",
                      shell_quoted(configuration.string()), shell_quoted(run.string()));
  return text;
}

}  // namespace edt
