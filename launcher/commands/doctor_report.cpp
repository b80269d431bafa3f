#include "launcher/commands/doctor_report.h"

#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
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

void print_slurm(CommandContext& context, const SlurmSite& site) {
  print_line(context, "Slurm",
             fmt::format("{}, srun connects by {}", site.version, fmt::join(site.mpi_types, " ")));
  print_line(context, "  requeue", site.job_requeue ? "by default" : "only with --requeue");
  print_line(context, "  time-outs",
             fmt::format("{} s from SIGTERM to SIGKILL, {} s until a silent node is dead",
                         site.kill_wait, site.node_timeout));
}

void print_domains(CommandContext& context, const std::vector<NodePlacement>& nodes) {
  if (nodes.empty()) return;
  std::vector<std::string> domains;
  for (const MemoryDomain& domain : nodes.front().domains) {
    domains.push_back(
        fmt::format("cores {} with {}", cores_text(domain.cores), bytes(domain.memory)));
  }
  print_line(context, "memory domains",
             fmt::format("{}: {}", domains.size(), fmt::join(domains, "; ")));
  for (const std::string& line : placement_lines(nodes)) print_line(context, "", line);
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
               fmt::format("{}, {} each, {} available, {} free in /dev/shm",
                           counted(static_cast<std::uint64_t>(node.ranks), "rank"),
                           counted(static_cast<std::uint64_t>(node.cores_usable), "core"),
                           bytes(node.memory_available), bytes(node.shared_memory_free)));
  }
}

}  // namespace

void print_text(CommandContext& context, const Examination& seen) {
  for (const auto& [name, version] : versions()) print_line(context, name, version);
  print_machine(context, seen.machine);
  print_domains(context, seen.placement);
  print_gpus(context, seen.gpus);
  print_directory(context, seen.directory);
  if (seen.preflight) print_preflight(context, *seen.preflight);
  if (seen.slurm) print_slurm(context, *seen.slurm);
  if (context.world.size() > 1) print_ranks(context);
  if (seen.nodes.size() > 1) print_nodes(context, seen.nodes);
  if (seen.rates) context.print("{}", rates_text(*seen.rates));
  for (const Finding& finding : seen.findings) {
    context.print("{}: {}\n", finding.fails ? "FAILS" : "warning", finding.text);
  }
  if (seen.findings.empty()) context.print("nothing found that would fail\n");
}

void print_json(CommandContext& context, const Examination& seen) {
  const RankGroups groups = RankGroups::of(context.world.size());
  auto json = nlohmann::ordered_json::object();
  for (const auto& [name, version] : versions()) json["versions"][name] = version;
  json["machine"] = to_json(seen.machine);
  json["gpus"] = to_json(seen.gpus);
  json["directory"] = to_json(seen.directory);
  json["checkpoints"] = seen.preflight ? to_json(*seen.preflight) : nlohmann::ordered_json(nullptr);
  json["slurm"] = seen.slurm ? to_json(*seen.slurm) : nlohmann::ordered_json(nullptr);
  json["ranks"] = {
      {"count", context.world.size()}, {"groups", groups.count}, {"group_size", groups.size}};
  json["nodes"] = nlohmann::ordered_json::array();
  for (const NodeSummary& node : seen.nodes) json["nodes"].push_back(to_json(node));
  json["placement"] = nlohmann::ordered_json::array();
  for (const NodePlacement& node : seen.placement) json["placement"].push_back(to_json(node));
  json["measured"] = seen.rates ? to_json(*seen.rates) : nlohmann::ordered_json(nullptr);
  json["findings"] = nlohmann::ordered_json::array();
  for (const Finding& finding : seen.findings) {
    json["findings"].push_back(
        {{"level", finding.fails ? "fails" : "warning"}, {"text", finding.text}});
  }
  context.print("{}\n", dump_json(json, 2));
}

}  // namespace edt
