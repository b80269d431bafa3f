#include "launcher/plan/cluster_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "core/options/nearest.h"
#include "core/options/options.h"
#include "core/storage/durable_file.h"
#include "launcher/plan/cluster_presets.h"

namespace edt {
namespace {

constexpr double kGib = 1 << 30, kMib = 1 << 20, kHour = 3600;

// The file's units; Cluster has SI base units and bytes.
struct LinkText {
  double latency_us = 0, gigabytes = 0, reduce_gigabytes = 0;
  std::vector<double> bytes, exchange, reduce;

  void declare(OptionSet& options, const std::string& section, const std::string& title) {
    const auto key = [&](const char* name) { return section + "." + name; };
    options.section(section, title);
    options.add(key("latency"), &latency_us, "of one message round").unit("us").at_least(0);
    options.add(key("bandwidth"), &gigabytes, "of a rank, in each direction; of an adapter")
        .unit("GB/s")
        .at_least(0);
    options.add(key("reduce-bandwidth"), &reduce_gigabytes, "of adding what arrives; 0: free")
        .unit("GB/s")
        .at_least(0);
    options.add(key("bytes"), &bytes, "measured round sizes, ascending").above(0);
    options.add(key("exchange"), &exchange, "s of a round of each size").above(0);
    options.add(key("reduce"), &reduce, "s of a round that adds").above(0);
  }

  Link link(const OptionSet& options, const std::string& section) const {
    const std::string at = options.origin(section + ".bytes");
    require<UsageError>(exchange.size() == bytes.size() && reduce.size() == bytes.size(), "cluster",
                        "{}: {}.bytes has {} sizes, exchange {} and reduce {} times", at, section,
                        bytes.size(), exchange.size(), reduce.size());
    for (std::size_t i = 1; i < bytes.size(); ++i) {
      require<UsageError>(bytes[i] > bytes[i - 1], "cluster",
                          "{}: {}.bytes has {} after {}, sizes have to ascend", at, section,
                          bytes[i], bytes[i - 1]);
    }
    return {.latency = latency_us * 1e-6,
            .bandwidth = gigabytes * 1e9,
            .reduce_bandwidth = reduce_gigabytes * 1e9,
            .bytes = bytes,
            .exchange_seconds = exchange,
            .reduce_seconds = reduce};
  }

  void set(const Link& link) {
    *this = {link.latency * 1e6, link.bandwidth / 1e9,  link.reduce_bandwidth / 1e9,
             link.bytes,         link.exchange_seconds, link.reduce_seconds};
  }
};

struct ClusterText {
  Cluster cluster;
  double memory_gib = 0, process_mib = 0, float32_tera = 0, bf16_tera = 0, memory_gigabytes = 0;
  double launch_us = 0, device_hours = 0;
  double storage_gigabytes = 0, node_gigabytes = 0, staging_gigabytes = 0;
  LinkText intra, inter;
  std::string table;

  void declare(OptionSet& options) {
    options.section("cluster", "Cluster");
    options.add("cluster.name", &cluster.name, "for reports").required();
    options.add("cluster.nodes", &cluster.nodes, "nodes").range(1, 1 << 20).required();
    options.add("cluster.devices", &cluster.devices, "devices of a node").range(1, 1024).required();
    options.section("device", "One device");
    options.add("device.memory", &memory_gib, "memory of its own").unit("GiB").above(0).required();
    options.add("device.process-memory", &process_mib, "taken before a plan counts")
        .unit("MiB")
        .at_least(0);
    options.add("device.float32", &float32_tera, "rate of matrix products in float32")
        .unit("TFLOP/s")
        .above(0)
        .required();
    options.add("device.bf16", &bf16_tera, "in bf16").unit("TFLOP/s").above(0).required();
    options.add("device.memory-bandwidth", &memory_gigabytes, "of its memory")
        .unit("GB/s")
        .above(0)
        .required();
    const auto share = [&](const char* name, double* field, const char* help) {
      options.add(name, field, help).above(0).range(0, 1);
    };
    share("device.matrix-efficiency", &cluster.matrix_efficiency, "share reached by products");
    share("device.attention-efficiency", &cluster.attention_efficiency, "and by attention");
    share("device.memory-efficiency", &cluster.memory_efficiency, "share of the bandwidth reached");
    options.add("device.launch", &launch_us, "between two kernels").unit("us").at_least(0);
    intra.declare(options, "intra", "Between devices of a node");
    inter.declare(options, "inter", "Between nodes");
    options.add("inter.adapters", &cluster.adapters, "to the network, of a node").range(1, 1024);
    options.section("overlap", "Computing and communicating at once: speed over the speed alone");
    share("overlap.compute", &cluster.overlap_compute, "of computing");
    share("overlap.communication", &cluster.overlap_communication, "of communicating");
    options.add("overlap.beside-tensor-ranks", &cluster.overlap_beside_tensor_ranks,
                "on: also where tensor ranks communicate; GPUs do not");
    options.section("storage", "Where checkpoints go");
    options.add("storage.bandwidth", &storage_gigabytes, "of all nodes together; 0: not known")
        .unit("GB/s")
        .at_least(0);
    options.add("storage.node-bandwidth", &node_gigabytes, "of one node").unit("GB/s").at_least(0);
    options
        .add("storage.operations", &cluster.storage.operations,
             "on files of one directory: made, opened, renamed, removed")
        .unit("1/s")
        .at_least(0);
    options.add("storage.staging", &staging_gigabytes, "of a rank's state to host memory")
        .unit("GB/s")
        .at_least(0);
    options.section("failures", "Failures that stop a job");
    options
        .add("failures.device-hours", &device_hours,
             "hours between two of one device; 0: not known")
        .unit("h")
        .at_least(0);
    options
        .add("failures.restart", &cluster.restart,
             "from one to the next step, but for reading the checkpoint")
        .unit("s")
        .at_least(0);
    options.section("kernels", "Measured kernels");
    options.add("kernels.table", &table, "file beside this one");
  }

  Cluster value(const OptionSet& options) const {
    Cluster result = cluster;
    result.memory = memory_gib * kGib;
    result.process_memory = process_mib * kMib;
    result.float32_rate = float32_tera * 1e12;
    result.bf16_rate = bf16_tera * 1e12;
    result.memory_bandwidth = memory_gigabytes * 1e9;
    result.launch = launch_us * 1e-6;
    result.device_failure = device_hours * kHour;
    result.storage.bandwidth = storage_gigabytes * 1e9;
    result.storage.node_bandwidth = node_gigabytes * 1e9;
    result.storage.staging = staging_gigabytes * 1e9;
    result.intra = intra.link(options, "intra");
    result.inter = inter.link(options, "inter");
    check_link(options, "intra", result.intra, result.devices > 1);
    check_link(options, "inter", result.inter, result.nodes > 1);
    check_failures(options, result);
    return result;
  }

 private:
  static void check_link(const OptionSet& options, const std::string& section, const Link& link,
                         bool needed) {
    require<UsageError>(!needed || link.bandwidth > 0 || !link.bytes.empty(), "cluster",
                        "{}: {}.bandwidth is 0 ({}), and no times were measured",
                        options.origin("cluster.name"), section,
                        options.origin(section + ".bandwidth"));
  }

  // What failures cost follows from all of it; a part alone would count for nothing.
  static void check_failures(const OptionSet& options, const Cluster& cluster) {
    const Storage& storage = cluster.storage;
    const std::array<std::pair<const char*, double>, 5> all{
        {{"failures.device-hours", cluster.device_failure},
         {"storage.bandwidth", storage.bandwidth},
         {"storage.node-bandwidth", storage.node_bandwidth},
         {"storage.operations", storage.operations},
         {"storage.staging", storage.staging}}};
    const auto is_said = [](const auto& one) { return one.second > 0; };
    const auto said = std::ranges::find_if(all, is_said);
    const auto missing = std::ranges::find_if_not(all, is_said);
    const bool is_whole = missing == all.end();
    const char* some = said != all.end() ? said->first : "failures.restart";
    require<UsageError>(is_whole || (said == all.end() && cluster.restart == 0), "cluster",
                        "{}: {} is said, and {} is not: what failures cost takes both",
                        options.origin(some), some, is_whole ? "" : missing->first);
  }
};

Cluster parse_cluster(std::string_view text, const std::string& name,
                      const std::function<std::string(const std::string&)>& beside) {
  ClusterText fields;
  OptionSet options("cluster", "");
  fields.declare(options);
  options.read(parse_ini(text, name));
  options.check();
  Cluster cluster = fields.value(options);
  if (!fields.table.empty()) {
    cluster.measured = parse_kernel_times(beside(fields.table), fields.table);
  }
  return cluster;
}

std::optional<std::string_view> preset_text(std::string_view name) {
  for (const auto& [file, text] : kClusterPresets) {
    if (file == name) return text;
  }
  return std::nullopt;
}

}  // namespace

KernelTimes parse_kernel_times(std::string_view text, const std::string& name) {
  KernelTimes times;
  int line = 0;
  while (!text.empty()) {
    const std::string_view row = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(row.size() + 1, text.size()));
    ++line;
    if (row.empty() || row[0] == '#') continue;
    const std::size_t tab = row.find('\t');
    require<UsageError>(tab != row.npos && tab + 1 < row.size(), "cluster",
                        "{}:{}: '{}' is not seconds, a tab and a kernel", name, line, row);
    double seconds = 0;
    const auto [end, error] = std::from_chars(row.data(), row.data() + tab, seconds);
    require<UsageError>(
        error == std::errc{} && end == row.data() + tab && std::isfinite(seconds) && seconds > 0,
        "cluster", "{}:{}: '{}' is no time of {}", name, line, row.substr(0, tab),
        row.substr(tab + 1));
    const std::string key(row.substr(tab + 1));
    auto& table = key[0] == '*' ? times.seconds_per_byte : times.seconds;
    const std::string id = key[0] == '*' ? key.substr(1) : key;
    require<UsageError>(table.emplace(id, seconds).second, "cluster", "{}:{}: '{}' comes twice",
                        name, line, key);
  }
  return times;
}

std::string format_kernel_times(const KernelTimes& times) {
  std::string text = "# seconds, then the kernel; *: seconds for each byte read or written\n";
  for (const auto& [name, seconds] : times.seconds_per_byte) {
    text += fmt::format("{:.4g}\t*{}\n", seconds, name);
  }
  for (const auto& [key, seconds] : times.seconds)
    text += fmt::format("{:.4g}\t{}\n", seconds, key);
  return text;
}

std::vector<std::string> cluster_presets() {
  std::vector<std::string> names;
  for (const auto& [file, text] : kClusterPresets) {
    if (file.ends_with(".ini")) names.emplace_back(file.substr(0, file.size() - 4));
  }
  return names;
}

Cluster read_cluster(const std::string& name_or_file) {
  if (const auto text = preset_text(name_or_file + ".ini")) {
    return parse_cluster(*text, name_or_file + ".ini", [&](const std::string& table) {
      const auto rows = preset_text(table);
      require<UsageError>(rows.has_value(), "cluster", "{}.ini: there is no {} beside it",
                          name_or_file, table);
      return std::string(*rows);
    });
  }
  const std::filesystem::path path = name_or_file;
  require<UsageError>(std::filesystem::is_regular_file(path), "cluster",
                      "'{}' is neither a file nor one of {}{}", name_or_file,
                      fmt::join(cluster_presets(), ", "),
                      suggestion(name_or_file, cluster_presets()));
  return parse_cluster(read_text(path), name_or_file, [&](const std::string& table) {
    const std::filesystem::path beside = path.parent_path() / table;
    require<UsageError>(std::filesystem::is_regular_file(beside), "cluster",
                        "{}: kernels.table {} does not exist", name_or_file, beside.string());
    return read_text(beside);
  });
}

std::filesystem::path kernel_table_of(const std::filesystem::path& file) {
  std::filesystem::path table = file;
  return table.replace_extension(".kernels.tsv");
}

void write_cluster(const Cluster& cluster, const std::filesystem::path& file) {
  ClusterText fields;
  fields.cluster = cluster;
  fields.memory_gib = cluster.memory / kGib;
  fields.process_mib = cluster.process_memory / kMib;
  fields.float32_tera = cluster.float32_rate / 1e12;
  fields.bf16_tera = cluster.bf16_rate / 1e12;
  fields.memory_gigabytes = cluster.memory_bandwidth / 1e9;
  fields.launch_us = cluster.launch * 1e6;
  fields.device_hours = cluster.device_failure / kHour;
  fields.storage_gigabytes = cluster.storage.bandwidth / 1e9;
  fields.node_gigabytes = cluster.storage.node_bandwidth / 1e9;
  fields.staging_gigabytes = cluster.storage.staging / 1e9;
  fields.intra.set(cluster.intra);
  fields.inter.set(cluster.inter);
  const std::filesystem::path table = kernel_table_of(file);
  fields.table = table.filename().string();
  OptionSet options("cluster", "");
  fields.declare(options);
  write_text_atomically(table, format_kernel_times(cluster.measured));
  write_text_atomically(file, options.to_ini());
}

}  // namespace edt
