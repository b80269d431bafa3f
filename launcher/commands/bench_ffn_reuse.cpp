// edt bench ffn-reuse: what EXION's reuse of hidden units would spare a trained model.
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "launcher/bench/sampler_comparison.h"
#include "launcher/commands/sampled_run.h"
#include "launcher/commands/table.h"
#include "launcher/text/report.h"
#include "model/plan/gemms.h"

namespace edt {
namespace {

struct FfnBench {
  SampledRun run;
  int steps = 50;
  int sparse_steps = 2;
  std::vector<double> thresholds{0.1, 0.2, 0.4};

  void declare(OptionSet& options) {
    run.declare(options);
    options.add("steps", &steps, "sampler steps, of ddim or of a flow euler").range(1, 1000);
    options.add("sparse-steps", &sparse_steps, "after each dense one").range(0, 1000);
    options.add("threshold", &thresholds,
                "of |gelu| in the last dense step, above which a unit is computed anew");
  }
};

struct FfnResult {
  double threshold = 0;
  std::vector<FfnUse> blocks;
  double distance = 0;  // of the samples, from those without

  FfnUse all() const {
    FfnUse sum;
    for (const FfnUse& block : blocks) sum += block;
    return sum;
  }
};

// `all_macs`: of all products of the samples.
nlohmann::ordered_json json_of(const FfnUse& use, double all_macs) {
  return {{"recomputed", use.marked / use.dense_units},
          {"tiles_with_recomputed", use.marked_tiles / use.tiles},
          {"mlp_macs_spared", use.spared / use.macs},
          {"macs_spared", use.spared / all_macs}};
}

void print_json(CommandContext& context, const FfnBench& bench, double all_macs,
                const std::vector<FfnResult>& results) {
  nlohmann::ordered_json json{{"model", bench.run.trained->model_config().name()},
                              {"dtype", name_of(bench.run.dtype)},
                              {"pictures", bench.run.images},
                              {"steps", bench.steps},
                              {"sparse_steps", bench.sparse_steps},
                              {"tile", FfnReuse::kTile}};
  json["thresholds"] = nlohmann::ordered_json::array();
  for (const FfnResult& result : results) {
    nlohmann::ordered_json one{{"threshold", result.threshold}, {"distance", result.distance}};
    one.update(json_of(result.all(), all_macs));
    one["blocks"] = nlohmann::ordered_json::array();
    for (const FfnUse& block : result.blocks) one["blocks"].push_back(json_of(block, all_macs));
    json["thresholds"].push_back(one);
  }
  context.print("{}\n", dump_json(json, 2));
}

void print_text(CommandContext& context, const FfnBench& bench, double all_macs,
                const std::vector<FfnResult>& results) {
  context.print("{}, {}, {} pictures, {} steps, {} after each dense one\n",
                bench.run.trained->model_config().name(), name_of(bench.run.dtype),
                bench.run.images, bench.steps, bench.sparse_steps);
  Table table({"threshold", "block", "recomputed", "tiles with some", "MLP products spared",
               "all products spared", "distance"});
  const auto add = [&](const FfnResult& result, const std::string& block, const FfnUse& use,
                       const std::string& distance) {
    table.add({fmt::format("{:g}", result.threshold), block,
               human_percent(use.marked / use.dense_units),
               human_percent(use.marked_tiles / use.tiles), human_percent(use.spared / use.macs),
               human_percent(use.spared / all_macs), distance});
  };
  for (const FfnResult& result : results) {
    for (std::size_t i = 0; i < result.blocks.size(); ++i) {
      add(result, fmt::to_string(i), result.blocks[i], "");
    }
    add(result, "all", result.all(), fmt::format("{:.4f}", result.distance));
  }
  context.print("{}", table.text());
  context.print(
      "spared by a machine that leaves out single elements: dense products spare nothing where a "
      "tile\nof {0} tokens by {0} units holds one that is recomputed, and took no less time here\n",
      FfnReuse::kTile);
}

}  // namespace

int bench_ffn_reuse(std::span<const std::string> args, CommandContext& context) {
  FfnBench bench;
  bench.run.images = 8;
  bench.run.request.batch = 8;
  OptionSet options(
      "bench ffn-reuse",
      "Measures on a trained model with gelu what FFN reuse (EXION) would spare: hidden units of "
      "MLPs that were small in the last dense step are kept, the others computed anew. An "
      "experiment: products here are dense, so that it takes no less time.");
  bench.declare(options);
  if (!read_options(options, args, context)) return kDone;
  bench.run.open(context.world);
  PictureSampler& sampler = *bench.run.sampler;
  PictureRequest request = bench.run.request;
  request.solver.kind = preview_solver(bench.run.trained->model().process().config());
  request.solver.spacing = std::to_string(bench.steps);
  context.run_started = true;
  std::vector<float> plain(request.labels.size() * sampler.picture_elements());
  sampler.run(request, plain);
  const std::int64_t batches = (bench.run.images + request.batch - 1) / request.batch;
  const double all_macs = static_cast<double>(batches) * static_cast<double>(sampler.rows_asked()) *
                          total_macs(forward_gemms(bench.run.trained->model_config(), 1));
  std::vector<FfnResult> results;
  for (const double threshold : bench.thresholds) {
    FfnReuse reuse({bench.sparse_steps, threshold}, *bench.run.backend);
    request.ffn_reuse = &reuse;
    std::vector<float> latents(plain.size());
    sampler.run(request, latents);
    results.push_back({threshold, reuse.use(), relative_distance(latents, plain)});
  }
  bench.run.json ? print_json(context, bench, all_macs, results)
                 : print_text(context, bench, all_macs, results);
  return kDone;
}

}  // namespace edt
