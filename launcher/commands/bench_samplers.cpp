// edt bench samplers: fewer steps, other solvers and caches at equal cost.
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "data/dataset.h"
#include "launcher/bench/sampler_comparison.h"
#include "launcher/commands/sampled_run.h"
#include "launcher/commands/table.h"
#include "launcher/sample/trained_data.h"
#include "launcher/text/progress.h"
#include "launcher/text/report.h"

namespace edt {
namespace {

struct SamplersOptions {
  SampledRun run;
  std::filesystem::path data;
  int reference_steps = 250;
  std::int64_t most_samples = 20000;
  ComparedWays ways;
  WeightsTypeOptions weights_type;

  void declare(OptionSet& options) {
    run.declare(options);
    options
        .add("data", &data,
             "data set whose latents the samples are held against; default: as in training")
        .alias("data.path");
    options.add("data-samples", &most_samples, "of it, at most").range(2, 1 << 24);
    options.add("reference-steps", &reference_steps, "of the samples that distances are to")
        .range(1, 1000);
    options.add("steps", &ways.steps, "without a cache, by the plain solver and by dpm++")
        .range(1, 1000);
    options.add("cached-steps", &ways.cached_steps, "with a cache, by the plain solver")
        .range(1, 1000);
    options.add("cache-interval", &ways.intervals, "of the caches").range(2, 1000);
    options.add("cache-order", &ways.orders, "of TaylorSeer; its lite form has the first")
        .range(0, 8);
    options.add("int8", &weights_type.int8,
                "all ways once more with the blocks' weights in 8-bit integers");
    options
        .add("int8-anywhere", &weights_type.anywhere,
             "also on a processor without instructions for such products, where they are slow")
        .used_when("int8", {"on"});
  }
};

// Latents of the data as the model sees them, apart from as many as are sampled, which say how far
// the data are from themselves.
struct HeldData {
  std::optional<FrechetReference> rest;
  double itself = 0;
};

std::vector<float> latents_of(const data::Dataset& set, const std::vector<std::uint64_t>& indices) {
  std::vector<data::SampleRef> refs(indices.size());
  for (std::size_t i = 0; i < refs.size(); ++i) refs[i].index = indices[i];
  std::vector<float> latents(refs.size() * set.description().latent_elements());
  data::ReadScratch scratch;
  set.read(refs, 0, scratch, latents);
  return latents;
}

HeldData hold_data(const SamplersOptions& options, const TrainedData& found) {
  HeldData held;
  if (!found.description) return held;
  const data::Dataset set(found.path, {.normalize = found.normalized});
  const auto most = static_cast<std::uint64_t>(options.most_samples);
  const std::uint64_t count = std::min(set.size(), most);
  const std::uint64_t apart = std::min(static_cast<std::uint64_t>(options.run.images), count / 2);
  require<DataError>(apart >= 2, "bench samplers",
                     "{}: {} samples, a covariance takes 2 or more on either side",
                     found.path.string(), count);
  std::vector<std::uint64_t> aside, rest;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t index = i * (set.size() / count);
    const bool is_aside = (i + 1) * apart / count != i * apart / count;
    (is_aside ? aside : rest).push_back(index);
  }
  FeatureMoments moments(static_cast<std::int64_t>(set.description().latent_elements()));
  moments.add({latents_of(set, rest), moments.width()});
  held.rest.emplace(moments.statistics());
  held.itself = frechet_of_latents(*held.rest, latents_of(set, aside));
  return held;
}

void print_text(CommandContext& context, const SamplersOptions& options, const HeldData& held,
                const std::vector<WayResult>& results) {
  context.print("{}, {}, {} pictures, cfg-scale {}\n", options.run.trained->model_config().name(),
                name_of(options.run.dtype), options.run.images, options.run.request.guidance.scale);
  Table table(
      {"way", "steps", "whole", "GMAC/picture", "s/picture", "cache", "distance", "Frechet"});
  for (const WayResult& r : results) {
    table.add({r.name, fmt::to_string(r.work.steps), fmt::to_string(r.work.whole_steps),
               fmt::format("{:.3g}", r.work.gmac), fmt::format("{:.3g}", r.seconds),
               r.work.cache_bytes > 0 ? human_bytes(static_cast<double>(r.work.cache_bytes)) : "-",
               fmt::format("{:.4f}", r.distance),
               r.frechet ? fmt::format("{:.3f}", *r.frechet) : "-"});
  }
  context.print("{}", table.text());
  if (held.rest) {
    context.print("Frechet distance of as many of the data, which were kept aside: {:.3f}\n",
                  held.itself);
  }
}

void print_json(CommandContext& context, const SamplersOptions& options, const HeldData& held,
                const std::vector<WayResult>& results) {
  nlohmann::ordered_json json{{"model", options.run.trained->model_config().name()},
                              {"dtype", name_of(options.run.dtype)},
                              {"pictures", options.run.images},
                              {"cfg_scale", options.run.request.guidance.scale},
                              {"reference_steps", options.reference_steps}};
  if (held.rest) json["frechet_of_data"] = held.itself;
  json["ways"] = nlohmann::ordered_json::array();
  for (const WayResult& r : results) {
    nlohmann::ordered_json one{{"name", r.name},
                               {"steps", r.work.steps},
                               {"whole_steps", r.work.whole_steps},
                               {"gmac_per_picture", r.work.gmac},
                               {"seconds_per_picture", r.seconds},
                               {"cache_bytes", r.work.cache_bytes},
                               {"distance", r.distance}};
    if (r.frechet) one["frechet"] = *r.frechet;
    json["ways"].push_back(one);
  }
  context.print("{}\n", dump_json(json, 2));
}

}  // namespace

int bench_samplers(std::span<const std::string> args, CommandContext& context) {
  SamplersOptions bench;
  bench.run.images = 256;
  OptionSet options(
      "bench samplers",
      "Fewer steps, another solver or a cache: samples of a trained model on the same noise by "
      "each, "
      "with products and time of a picture, the distance to the samples of many steps, and the "
      "Frechet distance of latents to the data. From the cheapest to the dearest.");
  bench.declare(options);
  if (!read_options(options, args, context)) return kDone;
  bench.run.open(context.world, bench.ways.largest_cache(), bench.weights_type);
  const ModelConfig& model = bench.run.trained->model_config();
  const std::vector<SamplingWay> ways = bench.ways.of(model.common().process);
  const HeldData held = hold_data(bench, find_trained_data(bench.data, *bench.run.trained));
  context.run_started = true;
  SamplerComparison comparison(*bench.run.sampler, model, bench.run.request,
                               held.rest ? &*held.rest : nullptr);
  const auto rounds = static_cast<std::int64_t>(bench.weights_type.int8 ? 2 : 1);
  Progress progress({.label = "samplers",
                     .unit = "ways",
                     .end = rounds * static_cast<std::int64_t>(ways.size()) + 1,
                     .style = progress_style(bench.run.json || context.quiet)},
                    std::cerr);
  std::vector<WayResult> results{comparison.run_reference(bench.reference_steps)};
  const auto run_all = [&](std::string_view suffix) {
    for (SamplingWay way : ways) {
      way.name += suffix;
      progress.update(static_cast<std::int64_t>(results.size()), way.name);
      results.push_back(comparison.run(way));
    }
  };
  run_all("");
  if (bench.weights_type.int8) {
    bench.run.trained->hold(
        bench.weights_type.apply(*bench.run.backend, bench.run.trained->model()));
    run_all(", int8");
  }
  std::ranges::stable_sort(results, {}, [](const WayResult& r) { return r.work.gmac; });
  bench.run.json ? print_json(context, bench, held, results)
                 : print_text(context, bench, held, results);
  return kDone;
}

}  // namespace edt
