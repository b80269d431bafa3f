// edt ckpt ema: averages of any length from those that a run has kept.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/options/options.h"
#include "core/storage/durable_file.h"
#include "core/storage/new_directories.h"
#include "launcher/commands/table.h"
#include "launcher/text/report.h"
#include "parallel/checkpoint/averages.h"

namespace edt {
namespace {

struct EmaOptions {
  std::filesystem::path run, out;
  std::vector<double> lengths;
  std::int64_t step = 0;
  bool json = false;

  void declare(OptionSet& options);
  // Where the average of a length goes: a directory of its own where there are several.
  std::filesystem::path target(double length) const {
    return lengths.size() == 1 ? out : out / fmt::format("{}", length);
  }
};

void EmaOptions::declare(OptionSet& options) {
  options.add("run", &run, "a run directory").alias("run.dir").positional().required();
  options
      .add("length", &lengths,
           "of the averages, as shares of the run (sigma_rel): 0.05, or several: 0.02,0.05,0.15")
      .range(kShortestAverage, kLongestAverage)
      .required();
  options.add("out", &out, "a new directory; of several lengths one in it for each")
      .positional()
      .required();
  options.add("step", &step, "at which the averages are to be; 0: the newest that was kept")
      .at_least(0);
  options.add("json", &json, "for scripts");
}

struct MadeAverage {
  double length = 0;
  std::filesystem::path path;
  PowerFit fit;
  double largest() const {
    double most = 0;
    for (const double weight : fit.weights) most = std::max(most, std::abs(weight));
    return most;
  }
};

// As of the newest checkpoint, whose configuration and latents the average has too.
CheckpointInfo info_of(const KeptAverages& kept, const MadeAverage& made, std::int64_t step) {
  CheckpointInfo info = kept.newest().info();
  auto extra = parse_json(info.extra, "manifest");
  extra["average"] = {{"length", made.length},
                      {"of_run", std::filesystem::absolute(kept.newest().path()).string()},
                      {"stored", kept.stored().size()},
                      {"error", made.fit.error}};
  info.extra = dump_json(extra);
  info.step = step;
  info.optimizer.clear();
  info.smoothed_loss.reset();
  info.judged.clear();
  return info;
}

// All of them, or none: what is there already is in the way of the same command.
void write_all(const KeptAverages& kept, const std::vector<PowerFit>& fits, std::int64_t step,
               std::vector<MadeAverage>& all) {
  const auto sums = kept.sums(fits);
  std::vector<std::filesystem::path> written;
  try {
    for (std::size_t i = 0; i < all.size(); ++i) {
      const CheckpointStore store(all[i].path);
      all[i].path = written.emplace_back(store.path_of(step));
      kept.write(sums[i], info_of(kept, all[i], step), store);
    }
  } catch (...) {
    std::error_code ignored;
    for (const auto& path : written) std::filesystem::remove_all(path, ignored);
    for (const auto& path : written) std::filesystem::remove(path.parent_path(), ignored);
    throw;
  }
}

void print(CommandContext& context, const MadeAverage& made) {
  context.note("{}: length {}, its profile met to {}, largest weight {:.2g}\n", made.path.string(),
               made.length, human_percent(made.fit.error), made.largest());
}

}  // namespace

int ckpt_ema(std::span<const std::string> args, CommandContext& context) {
  EmaOptions chosen;
  OptionSet options("ckpt ema",
                    "Makes averages of weights of any length, after training, from the snapshots "
                    "of a run with optimizer.power-averages: checkpoints for edt sample, edt "
                    "evaluate and edt ckpt export.");
  chosen.declare(options);
  if (!read_options(options, args, context)) return kDone;

  std::ranges::sort(chosen.lengths);
  const auto twice = std::ranges::adjacent_find(chosen.lengths);
  require<UsageError>(twice == chosen.lengths.end(), "averages", "--length names {} twice",
                      twice == chosen.lengths.end() ? 0 : *twice);
  std::error_code ignored;
  require<UsageError>(!std::filesystem::exists(chosen.out, ignored) ||
                          std::filesystem::is_empty(chosen.out, ignored),
                      "averages", "--out {} is there and is not empty", chosen.out.string());
  require_directory(chosen.out, "--out");
  const KeptAverages kept = KeptAverages::of_run(chosen.run);
  const std::int64_t step = chosen.step > 0 ? chosen.step : kept.newest().info().step;
  std::vector<MadeAverage> all;
  std::vector<PowerFit> fits;
  for (const double length : chosen.lengths) {
    all.push_back({length, chosen.target(length), kept.fit(length, step)});
    fits.push_back(all.back().fit);
  }
  context.run_started = true;
  NewDirectories directories(chosen.out);  // go again with what comes to nothing
  write_all(kept, fits, step, all);
  directories.keep();
  auto json = nlohmann::ordered_json::array();
  for (const MadeAverage& made : all) {
    json.push_back({{"path", made.path.string()},
                    {"length", made.length},
                    {"step", step},
                    {"error", made.fit.error},
                    {"largest_weight", made.largest()}});
    if (!chosen.json) print(context, made);
  }
  if (chosen.json) {
    context.print("{}\n", dump_json(json, 2));
  } else {
    context.note("from {} of step {} to {}\n",
                 counted(static_cast<std::uint64_t>(kept.stored().size()), "stored average"),
                 kept.checkpoints().front().info().step, kept.newest().info().step);
  }
  return kDone;
}

}  // namespace edt
