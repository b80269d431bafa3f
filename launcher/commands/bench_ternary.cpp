// edt bench ternary: up to how many rows products with packed ternary weights are faster.
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/options/options.h"
#include "launcher/bench/ternary_bench.h"
#include "launcher/commands/table.h"
#include "launcher/machine/machine.h"
#include "launcher/text/report.h"
#include "model/families/model_options.h"

namespace edt {
namespace {

void print_text(CommandContext& context, const ModelConfig& model,
                const std::vector<TernaryTurn>& turns) {
  context.print("{}\n{}; packed weights are taken up to {} rows\n", machine_text(probe_machine()),
                model.name(), most_packed_rows());
  Table table({"outputs", "inputs", "rows", "dense, us", "packed, us", "times as fast"});
  for (const TernaryTurn& t : turns) {
    table.add({std::to_string(t.outputs), std::to_string(t.inputs), std::to_string(t.rows),
               fmt::format("{:.0f}", 1e6 * t.dense_seconds),
               fmt::format("{:.0f}", 1e6 * t.packed_seconds), fmt::format("{:.2f}", t.ratio())});
  }
  context.print("{}", table.text());
}

void print_json(CommandContext& context, const ModelConfig& model,
                const std::vector<TernaryTurn>& turns) {
  nlohmann::ordered_json json{{"machine", machine_text(probe_machine())},
                              {"model", model.name()},
                              {"most_packed_rows", most_packed_rows()},
                              {"products", nlohmann::ordered_json::array()}};
  for (const TernaryTurn& t : turns) {
    json["products"].push_back({{"outputs", t.outputs},
                                {"inputs", t.inputs},
                                {"rows", t.rows},
                                {"dense_seconds", t.dense_seconds},
                                {"packed_seconds", t.packed_seconds}});
  }
  context.print("{}\n", dump_json(json, 2));
}

}  // namespace

int bench_ternary(std::span<const std::string> args, CommandContext& context) {
  ModelOptions model;
  std::vector<std::int64_t> rows{1, 2, 4, 8, 16, 32, 48, 64, 96, 128};
  int rounds = 5;
  bool json = false;
  OptionSet options("bench ternary",
                    "Products with the ternary matrices of a model, packed in two bits and dense, "
                    "by the number of rows: with few of them the bytes of weights are what time is "
                    "spent on.");
  model.declare(options);
  options.add("rows", &rows, "of activations").range(1, 1 << 16);
  options.add("rounds", &rounds, "of which the fastest counts").range(1, 1000);
  options.add("json", &json, "for scripts");
  if (!read_options(options, args, context)) return kDone;
  const ModelConfig config = model.resolve(1000);
  context.run_started = true;
  const std::vector<TernaryTurn> turns = bench_ternary(config, rows, rounds);
  json ? print_json(context, config, turns) : print_text(context, config, turns);
  return kDone;
}

}  // namespace edt
