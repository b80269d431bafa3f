// edt doctor: what this machine has, and what would fail on it.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/options/options.h"
#include "launcher/commands/run_preflight.h"
#include "launcher/commands/table.h"
#include "launcher/device/gpu_probe.h"
#include "launcher/machine/machine.h"
#include "launcher/machine/rank_survey.h"
#include "launcher/slurm/slurm_site.h"
#include "launcher/text/report.h"
#include "launcher/version.h"
#include "parallel/comm/rank_groups.h"

namespace edt {
namespace {

std::string bytes(std::uint64_t count) { return human_bytes(static_cast<double>(count)); }

void print_line(CommandContext& context, std::string_view name, std::string_view value) {
  context.print("{:18} {}\n", name, value);
}

void print_machine(CommandContext& context, const Machine& machine) {
  print_line(context, "host", machine.host);
  print_line(context, "system", machine.system);
  print_line(context, "CPU", machine.cpu_model);
  print_line(context, "vector units", fmt::format("{}", fmt::join(machine.vector_units, " ")));
  print_line(context, "oneDNN uses",
             machine.onednn_isa + (machine.native_bf16 ? ", bf16 native" : ", no native bf16"));
  print_line(context, "cores",
             fmt::format("{} online, {} usable{}", machine.cores_online, machine.cores_usable,
                         machine.cpu_quota
                             ? fmt::format(", control group allows {:.3g}", *machine.cpu_quota)
                             : ""));
  print_line(context, "OpenMP threads", fmt::format("{}", machine.openmp_threads));
  print_line(context, "memory",
             fmt::format("{}, {} available", bytes(machine.memory_total),
                         bytes(machine.memory_available)));
  print_line(context, "open files", fmt::format("at most {}", machine.open_files));
}

void print_gpus(CommandContext& context, const GpuProbe& probe) {
  if (probe.gpus.empty()) print_line(context, "GPUs", fmt::format("none: {}", probe.absence));
  for (const GpuProbe::Gpu& gpu : probe.gpus) {
    print_line(context, "GPU",
               fmt::format("{}, compute capability {}, {} multiprocessors, at {}, cuBLASLt {}",
                           gpu.type.name, gpu.type.capability, gpu.type.multiprocessors, gpu.place,
                           gpu.type.cublaslt));
  }
}

void print_directory(CommandContext& context, const DirectoryProbe& directory) {
  print_line(context, "directory", directory.path.string());
  print_line(context, "  file system", directory.file_system);
  print_line(
      context, "  space",
      fmt::format("{} free of {}", bytes(directory.bytes_free), bytes(directory.bytes_total)));
  print_line(context, "  writable", directory.write_problem.empty() ? "yes" : "no");
  if (directory.write_problem.empty()) {
    print_line(context, "  HDF5 locks", directory.locking_problem.empty() ? "work" : "fail");
  }
}

void print_preflight(CommandContext& context, const DiskPreflight& preflight) {
  print_line(
      context, "  checkpoints",
      fmt::format("{} there, {} each, {} more need {} at once", preflight.present.size(),
                  bytes(preflight.each), preflight.saves.size(), human_bytes(preflight.needed())));
}

nlohmann::ordered_json to_json(const DiskPreflight& preflight) {
  return {{"present", preflight.present.size()},   {"bytes_each", preflight.each},
          {"saves_ahead", preflight.saves.size()}, {"saves_that_fit", preflight.fitting()},
          {"bytes_needed", preflight.needed()},    {"bytes_free", preflight.free}};
}

// As edt train does: a fresh run is refused, one that goes on is warned.
std::vector<Finding> findings(const DiskPreflight& preflight) {
  const std::string shortage = preflight.shortage();
  if (shortage.empty()) return {};
  return {{preflight.present.empty(), shortage}};
}

void print_slurm(CommandContext& context, const SlurmSite& site) {
  print_line(context, "Slurm",
             fmt::format("{}, srun connects by {}", site.version, fmt::join(site.mpi_types, " ")));
  print_line(context, "  requeue", site.job_requeue ? "by default" : "only with --requeue");
  print_line(context, "  time-outs",
             fmt::format("{} s from SIGTERM to SIGKILL, {} s until a silent node is dead",
                         site.kill_wait, site.node_timeout));
}

// How gradients of a job like this one are added (parallel/sharding/sum_tree.h).
void print_ranks(CommandContext& context) {
  const int ranks = context.world.size();
  const RankGroups groups = RankGroups::of(ranks);
  print_line(context, "ranks",
             fmt::format("{}, as data ranks {} of {}: batches are multiples of {}", ranks,
                         counted(groups.count, "group"), groups.size, ranks));
}

void print_nodes(CommandContext& context, const std::vector<NodeSummary>& nodes) {
  for (const NodeSummary& node : nodes) {
    print_line(context, node.host,
               fmt::format("{} ranks, {} cores each, {} available, {} free in /dev/shm", node.ranks,
                           node.cores_usable, bytes(node.memory_available),
                           bytes(node.shared_memory_free)));
  }
}

void print_json(CommandContext& context, const Machine& machine, const GpuProbe& gpus,
                const DirectoryProbe& directory, const std::optional<DiskPreflight>& preflight,
                const std::optional<SlurmSite>& site, const std::vector<NodeSummary>& nodes,
                const std::vector<Finding>& found) {
  const RankGroups groups = RankGroups::of(context.world.size());
  auto json = nlohmann::ordered_json::object();
  for (const auto& [name, version] : versions()) json["versions"][name] = version;
  json["machine"] = to_json(machine);
  json["gpus"] = to_json(gpus);
  json["directory"] = to_json(directory);
  json["checkpoints"] = preflight ? to_json(*preflight) : nlohmann::ordered_json(nullptr);
  json["slurm"] = site ? to_json(*site) : nlohmann::ordered_json(nullptr);
  json["ranks"] = {
      {"count", context.world.size()}, {"groups", groups.count}, {"group_size", groups.size}};
  json["nodes"] = nlohmann::ordered_json::array();
  for (const NodeSummary& node : nodes) json["nodes"].push_back(to_json(node));
  json["findings"] = nlohmann::ordered_json::array();
  for (const Finding& finding : found) {
    json["findings"].push_back(
        {{"level", finding.fails ? "fails" : "warning"}, {"text", finding.text}});
  }
  context.print("{}\n", dump_json(json, 2));
}

}  // namespace

int doctor(std::span<const std::string> args, CommandContext& context) {
  std::filesystem::path path = ".";
  bool as_json = false;
  OptionSet options(
      "doctor",
      "Says what this machine has, and what would fail on it. Status 1 when something "
      "would. Started on many ranks it compares their nodes.");
  options
      .add("directory", &path,
           "where data or checkpoints are to go; of a run, also whether its checkpoints fit")
      .positional();
  options.add("json", &as_json, "for scripts");
  if (!read_options(options, args, context)) return kDone;

  const Machine machine = probe_machine();
  const GpuProbe gpus = probe_gpus();
  const DirectoryProbe directory = probe_directory(path);
  const auto preflight = preflight_of_run(path);
  std::vector<Finding> found = findings(machine);
  const std::vector<NodeSummary> nodes =
      survey(machine, directory.path, version_text(), context.world);
  // One rank speaks for all; what is wrong with one node is wrong with the job.
  std::optional<SlurmSite> site;
  if (context.world.is_root()) site = probe_slurm_site();
  for (auto& more :
       {findings(gpus), findings(directory),
        preflight ? findings(*preflight) : std::vector<Finding>(),
        site ? findings(*site) : std::vector<Finding>(), findings(nodes, directory.path)}) {
    found.insert(found.end(), more.begin(), more.end());
  }

  if (as_json) {
    print_json(context, machine, gpus, directory, preflight, site, nodes, found);
  } else {
    for (const auto& [name, version] : versions()) print_line(context, name, version);
    print_machine(context, machine);
    print_gpus(context, gpus);
    print_directory(context, directory);
    if (preflight) print_preflight(context, *preflight);
    if (site) print_slurm(context, *site);
    if (context.world.size() > 1) print_ranks(context);
    if (nodes.size() > 1) print_nodes(context, nodes);
    for (const Finding& finding : found) {
      context.print("{}: {}\n", finding.fails ? "FAILS" : "warning", finding.text);
    }
    if (found.empty()) context.print("nothing found that would fail\n");
  }
  const bool fails = std::any_of(found.begin(), found.end(), [](auto& f) { return f.fails; });
  return context.world.any(fails, "findings") ? kFailed : kDone;
}

}  // namespace edt
