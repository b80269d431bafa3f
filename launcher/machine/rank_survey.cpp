#include "launcher/machine/rank_survey.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/json/json_text.h"
#include "core/storage/probe_file.h"

namespace edt {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(NodeSummary, host, cpu_model, versions, ranks, cores_usable,
                                   memory_available, shared_memory_free, sees_directory)

namespace {

std::uint64_t free_shared_memory() {
  struct statvfs status {};
  if (statvfs("/dev/shm", &status) != 0) return 0;
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace

std::vector<NodeSummary> survey(const Machine& machine, const std::filesystem::path& directory,
                                const std::string& versions, Communicator& ranks) {
  // Of the first rank; the others look for it. No name where it cannot be made.
  std::optional<ProbeFile> own;
  if (ranks.is_root()) {
    remove_old_probes(directory);
    own.emplace(directory);
  }
  const std::string witness =
      ranks.broadcast(own ? own->path().string() : "", 0, "file in the directory");
  std::error_code ignored;
  const NodeSummary mine{
      .host = ranks.host(),
      .cpu_model = machine.cpu_model,
      .versions = versions,
      .ranks = 1,
      .cores_usable = machine.cores_usable,
      .memory_available = machine.memory_available,
      .shared_memory_free = free_shared_memory(),
      .sees_directory = witness.empty() || std::filesystem::exists(witness, ignored)};
  const auto texts = ranks.gather(dump_json(nlohmann::json(mine)), 0, "what the ranks have");
  own.reset();
  std::vector<NodeSummary> nodes;
  for (const std::string& text : texts) {
    const auto one = parse_json(text, "what a rank has").get<NodeSummary>();
    const auto known = std::find_if(nodes.begin(), nodes.end(),
                                    [&](const NodeSummary& node) { return node.host == one.host; });
    if (known == nodes.end()) {
      nodes.push_back(one);
    } else {
      ++known->ranks;
      known->sees_directory = known->sees_directory && one.sees_directory;
    }
  }
  return nodes;
}

std::vector<Finding> findings(const std::vector<NodeSummary>& nodes,
                              const std::filesystem::path& directory) {
  std::vector<Finding> all;
  for (const NodeSummary& node : nodes) {
    const NodeSummary& first = nodes.front();
    if (!node.sees_directory) {
      all.push_back({true, fmt::format("{} is not one file system: {} does not see what {} writes",
                                       directory.string(), node.host, first.host)});
    }
    if (node.versions != first.versions) {
      all.push_back({true, fmt::format("another program on {} than on {}", node.host, first.host)});
    }
    if (node.cpu_model != first.cpu_model) {
      all.push_back({false, fmt::format("{} has {}, {} has {}: the same bits are promised on equal "
                                        "processors only",
                                        node.host, node.cpu_model, first.host, first.cpu_model)});
    }
  }
  return all;
}

nlohmann::ordered_json to_json(const NodeSummary& node) {
  return {{"host", node.host},
          {"ranks", node.ranks},
          {"cpu_model", node.cpu_model},
          {"cores_usable", node.cores_usable},
          {"memory_available_bytes", node.memory_available},
          {"shared_memory_free_bytes", node.shared_memory_free},
          {"sees_directory", node.sees_directory}};
}

}  // namespace edt
