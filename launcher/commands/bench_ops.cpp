// edt bench ops: every op alone, on the shapes of a model, against what the machine can do.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/ops/cases/case_timing.h"
#include "core/options/options.h"
#include "launcher/commands/step_options.h"
#include "launcher/commands/table.h"
#include "launcher/commands/warpgroup_backend.h"
#include "launcher/device/device_options.h"
#include "launcher/text/report.h"
#include "model/families/presets.h"

namespace edt {
namespace {

struct OpsBenchOptions {
  DeviceOptions device;
  DType dtype = DType::kFloat32;
  std::string model = "EDT-S/2";
  std::int64_t batch = 16;
  double seconds = 0.3;
  std::string filter;
  bool as_json = false;
};

struct Ceiling {
  double flops = 0;  // of the library, a large product
  double bytes = 0;  // read and written by a copy that no cache holds
};

// A forward or a backward: its rate, in floating-point operations where it has any, else in bytes.
struct Rate {
  double seconds, flops, bytes;

  bool is_compute() const { return flops > 0; }
  double per_second() const { return (is_compute() ? flops : bytes) / seconds; }
  double share(const Ceiling& ceiling) const {
    return per_second() / (is_compute() ? ceiling.flops : ceiling.bytes);
  }
  std::string text() const {
    return is_compute() ? human_flops(per_second())
                        : fmt::format("{:.1f} GB/s", per_second() / 1e9);
  }
};

double copy_rate(Backend& backend) {
  constexpr std::int64_t kElements = 32 << 20;
  const Tensor shape{nullptr, {kElements}, DType::kFloat32};
  const Block from(backend.memory(), shape.bytes()), to(backend.memory(), shape.bytes());
  const Tensor source{from.data(), shape.shape, shape.dtype};
  const Tensor target{to.data(), shape.shape, shape.dtype};
  backend.zero(source);
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    const double seconds = backend.seconds_of([&] { backend.copy(source, target); });
    best = std::max(best, 2.0 * static_cast<double>(shape.bytes()) / seconds);
  }
  return best;
}

Ceiling measure_ceiling(Backend& backend, DType dtype) {
  const bool gpu = !backend.in_host_memory();
  const std::vector<MatmulForm> form{gpu ? MatmulForm{.m = 8192, .n = 8192, .k = 8192}
                                         : MatmulForm{.m = 2048, .n = 1024, .k = 1024}};
  const auto matmul = backend.matmul_ceiling(form, dtype);
  Ceiling ceiling;
  for (int round = 0; matmul != nullptr && round < 5; ++round) {
    ceiling.flops = std::max(ceiling.flops, matmul->flops() / matmul->run());
  }
  ceiling.bytes = copy_rate(backend);
  return ceiling;
}

struct Line {
  const OpCase& op_case;
  CaseTiming timing;
  bool apart = false;       // without the epilogues that its products have on the GPU
  bool warpgroups = false;  // attention by the kernels for Hopper alone

  Rate forward() const {
    return {timing.forward_seconds, timing.forward_flops, timing.forward_bytes};
  }
  Rate backward() const {
    return {timing.backward_seconds, timing.backward_flops, timing.backward_bytes};
  }
  bool has_backward() const { return timing.backward_seconds > 0; }
};

nlohmann::ordered_json to_json(const Rate& rate, const Ceiling& ceiling) {
  return {{"seconds", rate.seconds},
          {rate.is_compute() ? "gflops" : "gbytes_per_s", rate.per_second() / 1e9},
          {"ceiling_ratio", rate.share(ceiling)},
          {"ceiling_outdated", rate.share(ceiling) > 1}};
}

void print_json(CommandContext& context, const OpsBenchOptions& bench, const Backend& backend,
                const Ceiling& ceiling, const std::vector<Line>& lines) {
  nlohmann::ordered_json json{{"backend", backend.name()},
                              {"dtype", name_of(bench.dtype)},
                              {"model", bench.model},
                              {"batch", bench.batch},
                              {"ceiling_gflops", ceiling.flops / 1e9},
                              {"ceiling_gbytes_per_s", ceiling.bytes / 1e9}};
  json["ops"] = nlohmann::ordered_json::array();
  for (const Line& line : lines) {
    nlohmann::ordered_json op{{"op", line.op_case.op},
                              {"shape", line.op_case.shape},
                              {"epilogues", !line.apart},
                              {"warpgroups", line.warpgroups},
                              {"supported", line.timing.supported}};
    if (line.timing.supported) op["forward"] = to_json(line.forward(), ceiling);
    if (line.has_backward()) op["backward"] = to_json(line.backward(), ceiling);
    json["ops"].push_back(op);
  }
  context.print("{}\n", dump_json(json, 2));
}

std::vector<std::string> cells(const Rate& rate, const Ceiling& ceiling) {
  return {human_duration(rate.seconds), rate.text(), share_percent(rate.share(ceiling), 0)};
}

void print_text(CommandContext& context, const Ceiling& ceiling, const std::vector<Line>& lines) {
  context.print("ceilings: {} in a product of matrices, {:.1f} GB/s in a copy\n",
                human_flops(ceiling.flops), ceiling.bytes / 1e9);
  Table table({"op", "shape", "forward", "rate", "share", "backward", "rate", "share"});
  for (const Line& line : lines) {
    std::vector<std::string> row{line.op_case.op,
                                 line.op_case.shape + (line.apart        ? ", no epilogues"
                                                       : line.warpgroups ? ", by warpgroups"
                                                                         : "")};
    const std::vector<std::string> none{"-", "-", "-"};
    const auto forward = line.timing.supported ? cells(line.forward(), ceiling)
                                               : std::vector<std::string>{"unsupported", "-", "-"};
    const auto backward = line.has_backward() ? cells(line.backward(), ceiling) : none;
    row.insert(row.end(), forward.begin(), forward.end());
    row.insert(row.end(), backward.begin(), backward.end());
    table.add(row);
  }
  const std::string text = table.text();
  context.print("{}", text);
  if (text.find("(!)") != text.npos) {
    context.print("(!) above the ceiling: in cache, or the machine was slower when it was taken\n");
  }
}

std::vector<std::string> edt_names() {
  std::vector<std::string> names;
  for (const EdtConfig& config : EdtFamily::presets()) names.push_back(config.name);
  return names;
}

// Those on the way down; the others are as large.
std::vector<BenchStage> stages_of(const EdtConfig& model) {
  std::vector<BenchStage> stages;
  for (std::int64_t i = 0; i <= model.down_stages(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    stages.push_back({model.grid(i).tokens(), model.widths[at], model.heads[at]});
  }
  return stages;
}

// How often products of the backend have taken something along.
std::int64_t epilogues_of(const Backend& backend) {
  std::int64_t sum = 0;
  for (const auto& [key, number] : gemm_calls(backend)) {
    if (key.epilogue != Epilogue::kNone) sum += number;
  }
  return sum;
}

// Each op; on a GPU those whose products take something along once more, without, and on Hopper
// attention once more by warpgroups.
std::vector<Line> time_ops(const OpsBenchOptions& bench, const OpCases& cases, Backend& backend,
                           Communicator& world) {
  std::unique_ptr<Backend> without;
  if (bench.device.kind == DeviceKind::kCuda && bench.device.epilogues) {
    DeviceOptions device = bench.device;
    device.epilogues = false;
    without = device.make_backend(world);
  }
  std::vector<Line> lines;
  for (const OpCase& op_case : cases) {
    const std::int64_t before = without ? epilogues_of(backend) : 0;
    lines.push_back({op_case, time_case(op_case, backend, bench.dtype, bench.seconds)});
    if (const auto warpgroups = make_warpgroup_backend(bench.device, op_case, bench.dtype, world)) {
      const CaseTiming timing = time_case(op_case, *warpgroups, bench.dtype, bench.seconds);
      lines.push_back({.op_case = op_case, .timing = timing, .warpgroups = true});
    }
    if (!without || epilogues_of(backend) == before) continue;
    lines.push_back({op_case, time_case(op_case, *without, bench.dtype, bench.seconds), true});
  }
  return lines;
}

}  // namespace

int bench_ops(std::span<const std::string> args, CommandContext& context) {
  OpsBenchOptions bench;
  OptionSet options(
      "bench ops",
      "Times each op alone on the shapes of an EDT's stages: GFLOP/s against the matrix "
      "products of oneDNN or cuBLASLt, or, for ops that mostly move data, GB/s against a copy "
      "that no cache holds: small batches stay in the cache and pass 100 %. On a GPU ops whose "
      "products take along biases, gelu or sums are timed without that as well, and on GPUs of "
      "compute capability 9.0 attention by the kernels that are for these alone.");
  options.add("filter", &bench.filter, "only ops whose name or shape contains this").positional();
  bench.device.declare(options, "");
  options.add("model.preset", &bench.model, "whose stages the shapes are of")
      .alias("model")
      .choices(edt_names());
  declare_dtype(options, bench.dtype);
  options.add("batch", &bench.batch, "images in each op").unit("images").range(1, 4096);
  options.add("seconds", &bench.seconds, "time for each op").unit("s").range(0, 3600);
  options.add("json", &bench.as_json, "for scripts");
  if (!read_options(options, args, context)) return kDone;

  OpCases cases = bench_cases(bench.batch, stages_of(edt_preset(bench.model)));
  std::erase_if(cases, [&](const OpCase& op_case) {
    return op_case.name().find(bench.filter) == std::string::npos;
  });
  require<UsageError>(!cases.empty(), "bench ops", "no op has '{}' in its name", bench.filter);
  const auto backend = bench.device.make_backend(context.world);
  context.run_started = true;
  const Ceiling ceiling = measure_ceiling(*backend, bench.dtype);
  const std::vector<Line> lines = time_ops(bench, cases, *backend, context.world);
  if (bench.as_json) {
    print_json(context, bench, *backend, ceiling, lines);
  } else {
    print_text(context, ceiling, lines);
  }
  return kDone;
}

}  // namespace edt
