#include "launcher/bench/speedup.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/median.h"
#include "launcher/bench/speedup_turn.h"
#include "launcher/machine/measuring.h"
#include "launcher/text/report.h"
#include "model/families/model_options.h"
#include "model/plan/gemms.h"
#include "model/plan/sampler_run.h"

namespace edt {
namespace {

ModelConfig sized(const std::string& preset, std::int64_t image_size) {
  ModelOptions options;
  options.preset = preset;
  options.image_size = image_size;
  return options.resolve(1000);
}

// Turns of one variant, as they come.
struct Turns {
  std::vector<Turn> all;

  SpeedupResult result(const Variant& variant, std::int64_t images) const;
};

SpeedupResult Turns::result(const Variant& variant, std::int64_t images) const {
  SpeedupResult r{.key = variant.key,
                  .label = variant.label,
                  .model = variant.model.name(),
                  .round_seconds = {}};
  std::vector<double> seconds, shares, ceilings;
  double flops = 0;
  for (const Turn& turn : all) {
    seconds.insert(seconds.end(), turn.seconds.begin(), turn.seconds.end());
    r.round_seconds.push_back(median(turn.seconds));
    ceilings.push_back(turn.ceiling_rate);
    shares.push_back(turn.flops / r.round_seconds.back() / turn.ceiling_rate);
    flops += turn.flops / static_cast<double>(all.size());
    r.memory_bytes = std::max(r.memory_bytes, turn.memory_bytes);
    r.taken_bytes = std::max(r.taken_bytes, turn.taken_bytes);
  }
  r.seconds = median(seconds);
  r.fastest = std::ranges::min(seconds);
  r.slowest = std::ranges::max(seconds);
  r.images_per_second = static_cast<double>(images) / r.seconds;
  r.gflop_per_image = flops / static_cast<double>(images) / 1e9;
  r.achieved_gflops = flops / r.seconds / 1e9;
  r.ceiling_gflops = median(ceilings) / 1e9;
  r.ceiling_share = median(shares);
  return r;
}

using TakeTurn = std::function<Turn(const Variant&, int round)>;

SpeedupTable run_rounds(const std::string& what, const std::vector<Variant>& variants,
                        const SpeedupOptions& options, std::int64_t images, const TakeTurn& take,
                        const SpeedupProgress& report) {
  std::vector<Turns> turns(variants.size());
  for (int round = 0; round < options.rounds; ++round) {
    for (std::size_t i = 0; i < variants.size(); ++i) {
      turns[i].all.push_back(take(variants[i], round));
      report(fmt::format("{} round {} of {}: {} {}", what, round + 1, options.rounds,
                         variants[i].label, human_duration(median(turns[i].all.back().seconds))));
    }
  }
  SpeedupTable table;
  for (std::size_t i = 0; i < variants.size(); ++i) {
    table.results.push_back(turns[i].result(variants[i], images));
  }
  return table;
}

double macs(const ModelConfig& config) { return total_macs(forward_gemms(config, 1)); }

OptimizerConfig optimizer_of(const Variant& variant, const SpeedupOptions& options) {
  switch (options.optimizer) {
    case ContestOptimizer::kRecipe:
      return variant.optimizer;
    case ContestOptimizer::kAdan:
      return AdanConfig{};
    case ContestOptimizer::kAdamW:
      return AdamWConfig{};
  }
  return variant.optimizer;
}

const Variant* find(const std::vector<Variant>& variants, const std::string& key) {
  const auto found = std::ranges::find(variants, key, &Variant::key);
  return found == variants.end() ? nullptr : &*found;
}

}  // namespace

std::vector<Variant> published_variants(const std::string& size, std::int64_t image_size) {
  const ModelConfig edt = sized("EDT-" + size + "/2", image_size);
  const ModelConfig mdtv2 = sized("MDTv2-" + size + "/2", image_size);
  ModelConfig fixed = mdtv2;
  fixed.as<Mdtv2Config>()->mask_ratio = {0.4f, 0.4f};
  const ModelConfig dit = sized("DiT-" + size + "/2", image_size);
  return {
      {.key = "EDT", .label = "EDT", .model = edt},
      {.key = "EDT_unmasked",
       .label = "EDT* (no masked pass)",
       .model = edt,
       .masked = false,
       .infers = false},
      {.key = "EDT_shared_noise",
       .label = "EDT, shared noise",
       .model = edt,
       .shared_noise = true,
       .infers = false},
      {.key = "MDTv2", .label = "MDTv2, ratio drawn", .model = mdtv2, .clip = 1},
      {.key = "MDTv2_fixed",
       .label = "MDTv2, ratio 0.4",
       .model = fixed,
       .clip = 1,
       .infers = false},
      {.key = "DiT",
       .label = "DiT",
       .model = dit,
       .masked = false,
       .optimizer = AdamWConfig{},
       .snr_gamma = 0},
  };
}

const SpeedupResult* SpeedupTable::find(const std::string& key) const {
  const auto found = std::ranges::find(results, key, &SpeedupResult::key);
  return found == results.end() ? nullptr : &*found;
}

double SpeedupTable::over_mdtv2(const std::string& key) const {
  const SpeedupResult *one = find(key), *base = find("MDTv2");
  if (one == nullptr || base == nullptr) return 0;
  std::vector<double> ratios;
  for (std::size_t i = 0; i < one->round_seconds.size(); ++i) {
    ratios.push_back(base->round_seconds[i] / one->round_seconds[i]);
  }
  return median(ratios);
}

double mean_training_macs(const Variant& variant) {
  const auto macs_of = [](const ModelConfig& model) {
    return total_macs(both_forward_gemms(model, 1));
  };
  if (!variant.masked) return macs(variant.model);
  const auto* mdtv2 = variant.model.as<Mdtv2Config>();
  if (mdtv2 == nullptr) return macs_of(variant.model);
  constexpr int kRatios = 1000;
  std::map<std::int64_t, double> known;  // by the number of visible tokens
  double sum = 0;
  Mdtv2Config fixed = *mdtv2;
  for (int i = 0; i < kRatios; ++i) {
    const float u = (static_cast<float>(i) + 0.5f) / kRatios;
    const auto [low, high] = mdtv2->mask_ratio;
    const float ratio = low + u * (high - low);
    const auto [found, is_new] = known.try_emplace(mdtv2->visible_tokens(ratio));
    fixed.mask_ratio = {ratio, ratio};
    if (is_new) found->second = macs_of(fixed);
    sum += found->second;
  }
  return sum / kRatios;
}

EngineConfig engine_config(const Variant& variant, const SpeedupOptions& options) {
  EngineConfig config;
  config.dtype = options.dtype;
  config.micro_batch = options.micro_batch;
  config.batch = options.micro_batch * options.accumulate;
  config.objective = {.masked = variant.masked,
                      .shared_noise = variant.shared_noise,
                      .loss = {.snr_gamma = variant.snr_gamma}};
  config.recompute = options.recompute;
  config.times.sampling = TimeSampling::kUniform;  // for all: none pays for what another leaves out
  config.optimizer = optimizer_of(variant, options);
  config.rate.initial = 1e-5;
  config.clip = variant.clip;
  config.graphs = options.graphs;
  return config;
}

double turn_bytes(const Variant& variant, const SpeedupOptions& options) {
  const PlannedStep step{{variant.model, engine_config(variant, options)}};
  const DryMemory memory = dry_run_of_memory(step);
  double bytes = options.training ? static_cast<double>(memory.bytes) : 0;
  if (options.inference && variant.infers) {
    bytes = std::max(bytes, static_cast<double>(dry_run_of_sampler(
                                {variant.model, options.dtype, options.micro_batch})));
  }
  return bytes;
}

SizeSpeedup run_speedup(const std::string& size, const std::vector<Variant>& variants,
                        const SpeedupOptions& options, Backend& backend,
                        const SpeedupProgress& report) {
  SizeSpeedup result{.size = size, .train = {}, .infer = {}};
  if (!variants.empty())
    result.image_size = variants[0].model.latents().factor * variants[0].model.latents().height;
  if (const Variant* edt = find(variants, "EDT"), *mdtv2 = find(variants, "MDTv2");
      edt != nullptr && mdtv2 != nullptr) {
    result.train_flop_ratio = mean_training_macs(*mdtv2) / mean_training_macs(*edt);
    result.infer_flop_ratio = macs(mdtv2->model) / macs(edt->model);
  }
  if (options.training) {
    result.train = run_rounds(
        size + " training", variants, options, options.micro_batch * options.accumulate,
        [&](const Variant& c, int round) { return training_turn(c, options, backend, round); },
        report);
  }
  if (options.inference) {
    std::vector<Variant> inferring;
    std::ranges::copy_if(variants, std::back_inserter(inferring), &Variant::infers);
    result.infer = run_rounds(
        size + " inference", inferring, options, options.micro_batch,
        [&](const Variant& c, int) { return inference_turn(c, options, backend); }, report);
  }
  return result;
}

}  // namespace edt
