// edt bench comm: every collective against the MPI library's own.
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/options/options.h"
#include "launcher/bench/comm_bench.h"
#include "launcher/commands/table.h"
#include "launcher/text/report.h"
#include "parallel/comm/mpi/plain_collectives.h"

namespace edt {
namespace {

nlohmann::ordered_json to_json(const CommBenchLine& line, const CommTiming& timing) {
  return {{"seconds", timing.seconds},
          {"fastest_seconds", timing.fastest},
          {"slowest_seconds", timing.slowest},
          {"algorithm_gbytes_per_s", line.bandwidth(timing) / 1e9},
          {"bus_gbytes_per_s", line.bandwidth(timing) * line.bus_factor / 1e9}};
}

void print_json(CommandContext& context, const CommBenchOptions& bench,
                const std::vector<CommBenchLine>& lines) {
  nlohmann::ordered_json json{{"ranks", context.world.size()},
                              {"backend", context.world.backend()},
                              {"dtype", name_of(bench.dtype)},
                              {"rounds", bench.rounds}};
  json["lines"] = nlohmann::ordered_json::array();
  for (const CommBenchLine& line : lines) {
    nlohmann::ordered_json row{{"collective", line.collective}, {"bytes", line.bytes}};
    row["edt"] = to_json(line, line.ours);
    if (line.plain) row["mpi"] = to_json(line, *line.plain);
    if (line.plain) row["speed_over_mpi"] = line.ratio;
    json["lines"].push_back(row);
  }
  context.print("{}\n", dump_json(json, 2));
}

std::string latency(const CommTiming& timing) {
  return timing.seconds < 1e-3 ? fmt::format("{:.1f} us", timing.seconds * 1e6)
                               : fmt::format("{:.2f} ms", timing.seconds * 1e3);
}

void print_text(CommandContext& context, const CommBenchOptions& bench,
                const std::vector<CommBenchLine>& lines) {
  context.print("{} ranks over {}, {}, median of {} rounds, in turn with MPI; GB/s\n",
                context.world.size(), context.world.backend(), name_of(bench.dtype), bench.rounds);
  Table table({"collective", "bytes", "edt", "algorithm", "bus", "MPI", "algorithm", "bus",
               "edt over MPI"});
  for (const CommBenchLine& line : lines) {
    std::vector<std::string> row{line.collective, fmt::format("{}", line.bytes)};
    const auto add = [&](const CommTiming& timing) {
      const double rate = line.bandwidth(timing) / 1e9;
      row.push_back(latency(timing));
      row.push_back(line.bytes == 0 ? "-" : fmt::format("{:.3f}", rate));
      row.push_back(line.bytes == 0 ? "-" : fmt::format("{:.3f}", rate * line.bus_factor));
    };
    add(line.ours);
    if (line.plain) {
      add(*line.plain);
      row.push_back(fmt::format("{:.2f}", line.ratio));
    } else {
      row.insert(row.end(), 4, "-");
    }
    table.add(row);
  }
  context.print("{}", table.text());
}

}  // namespace

int bench_comm(std::span<const std::string> args, CommandContext& context) {
  CommBenchOptions bench;
  bool as_json = false;
  OptionSet options(
      "bench comm",
      "Times each collective between all ranks, in turn with the MPI library's own on "
      "the same buffers. Algorithm bandwidth: bytes over time; bus bandwidth: what "
      "each rank has to send over time. Run it with mpirun or srun.");
  options.add("collectives", &bench.collectives, "which")
      .choices({"all_reduce", "reduce_scatter", "all_gather", "broadcast", "barrier"});
  options.add("sizes", &bench.sizes, "of the whole buffer").unit("bytes").range(1, 2147483647);
  options.add(
      "dtype", &bench.dtype,
      {{"float32", DType::kFloat32}, {"float64", DType::kFloat64}, {"int32", DType::kInt32}},
      "type of the elements");
  options.add("rounds", &bench.rounds, "measurements of which the median counts").range(1, 10000);
  options.add("json", &as_json, "for scripts");
  if (!read_options(options, args, context)) return kDone;
  require<UsageError>(context.world.size() > 1, "bench comm",
                      "there is one rank: start several, as in mpirun -np 2 edt bench comm");
  require<UsageError>(!bench.sizes.empty() && !bench.collectives.empty(), "bench comm",
                      "nothing to measure: {} sizes, {} collectives", bench.sizes.size(),
                      bench.collectives.size());
  context.run_started = true;
  const auto plain = make_plain_collectives();
  const auto lines = run_comm_bench(bench, context.world, plain.get());
  if (as_json) {
    print_json(context, bench, lines);
  } else {
    print_text(context, bench, lines);
  }
  return kDone;
}

}  // namespace edt
