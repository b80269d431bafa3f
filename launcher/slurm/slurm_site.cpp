#include "launcher/slurm/slurm_site.h"

#include <fmt/format.h>
#include <stdio.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

namespace edt {
namespace {

// Standard output and error of a command; empty when it failed.
std::string output_of(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (!pipe) return {};
  std::string text;
  std::array<char, 4096> buffer;
  while (const std::size_t count = fread(buffer.data(), 1, buffer.size(), pipe)) {
    text.append(buffer.data(), count);
  }
  return pclose(pipe) == 0 ? text : std::string();
}

// "KillWait                = 30 sec": the text after the sign.
std::string setting(const std::string& configuration, std::string_view name) {
  std::istringstream lines(configuration);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string key, sign, value;
    if (words >> key >> sign && key == name && sign == "=") {
      std::getline(words >> std::ws, value);
      return value;
    }
  }
  return {};
}

}  // namespace

bool SlurmSite::has_pmix() const {
  return std::any_of(mpi_types.begin(), mpi_types.end(),
                     [](const std::string& type) { return type.starts_with("pmix"); });
}

SlurmSite parse_slurm_site(const std::string& configuration, const std::string& mpi_list) {
  SlurmSite site;
  site.version = setting(configuration, "SLURM_VERSION");
  site.job_requeue = setting(configuration, "JobRequeue") == "1";
  site.kill_wait = std::atoi(setting(configuration, "KillWait").c_str());
  site.node_timeout = std::atoi(setting(configuration, "SlurmdTimeout").c_str());
  std::istringstream lines(mpi_list);
  for (std::string line; std::getline(lines, line);) {
    const auto begin = line.find_first_not_of(" \t");
    // The heading ends in a colon; later versions print "specific pmix plugin versions available".
    if (begin == line.npos || line.ends_with("...") || line.find(':') != line.npos) continue;
    site.mpi_types.push_back(line.substr(begin));
  }
  return site;
}

std::optional<SlurmSite> probe_slurm_site() {
  const std::string configuration = output_of("timeout 10 scontrol show config");
  if (configuration.empty()) return std::nullopt;
  return parse_slurm_site(configuration, output_of("timeout 10 srun --mpi=list"));
}

std::optional<double> parse_largest_node(const std::string& sinfo) {
  std::istringstream words(sinfo);
  double largest = 1;
  for (std::string word; words >> word;) largest = std::max(largest, std::atof(word.c_str()));
  if (largest == 1) return std::nullopt;
  return largest * (1 << 20);
}

std::optional<double> probe_largest_node(const std::string& partition) {
  const bool plain = std::all_of(partition.begin(), partition.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-' || c == ',';
  });
  if (!plain) return std::nullopt;
  return parse_largest_node(
      output_of("timeout 10 sinfo --noheader --format=%m" +
                (partition.empty() ? std::string() : " --partition=" + partition)));
}

std::vector<Finding> findings(const SlurmSite& site) {
  std::vector<Finding> all;
  if (!site.has_pmix()) {
    all.push_back({true, fmt::format("srun has no PMIx, only {}: set EDT_LAUNCHER=mpirun in "
                                     "slurm/cluster.sh, or install Slurm's PMIx plugin and its "
                                     "library (Debian: libpmix-dev)",
                                     fmt::join(site.mpi_types, ", "))});
  }
  if (!site.job_requeue) {
    all.push_back({false,
                   "jobs are not requeued by default (JobRequeue=0): the scripts ask for it "
                   "with --requeue; where that is refused, use slurm/chain.sh"});
  }
  constexpr int kShortWait = 20;
  if (site.kill_wait < kShortWait) {
    all.push_back({false, fmt::format("{} s between SIGTERM and SIGKILL (KillWait): a run that is "
                                      "told nothing before that may be too slow to save",
                                      site.kill_wait)});
  }
  return all;
}

nlohmann::ordered_json to_json(const SlurmSite& site) {
  return {{"version", site.version},
          {"mpi_types", site.mpi_types},
          {"job_requeue", site.job_requeue},
          {"kill_wait_seconds", site.kill_wait},
          {"node_timeout_seconds", site.node_timeout}};
}

}  // namespace edt
