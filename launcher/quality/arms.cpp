#include "launcher/quality/arms.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

namespace edt {
namespace {

using Arguments = std::vector<std::string>;

Arguments joined(std::initializer_list<Arguments> parts) {
  Arguments all;
  for (const Arguments& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

// The families' own names of their sizes. None published a Ti: these have six blocks as EDT-Ti/2,
// and its mean width.
Arguments model_of(const std::string& family, const std::string& size) {
  if (size != "Ti" || family == "EDT") {
    return {fmt::format("--model.preset={}-{}/2", family, size)};
  }
  return {fmt::format("--model.preset={}-S/2", family),
          family == "MDTv2" ? "--model.depths=4,2" : "--model.depths=6", "--model.widths=144",
          "--model.heads=3"};
}

// What a recipe says beside its optimizer: configs/*.ini.
const Arguments kEdtSays{"--train.snr-gamma=5", "--train.timesteps=loss-second-moment"};
const Arguments kFlowSays{"--process.kind=flow", "--train.timesteps=logit-normal"};
const Arguments kMdtSays{"--train.snr-gamma=5", "--train.timesteps=uniform"};
const Arguments kDitSays{"--train.masked=off", "--train.snr-gamma=0", "--train.timesteps=uniform"};
const Arguments kSitSays{"--train.masked=off", "--train.timesteps=uniform"};
const Arguments kLightningSays{"--train.masked=off",         "--train.timesteps=logit-normal",
                               "--train.direction-weight=1", "--model.norm=rms",
                               "--model.mlp=swiglu",         "--model.positions=sincos+rope"};

enum class Recipe { kEdt, kMdt, kDit, kLightning };

Arguments optimizer_of(Recipe recipe, const ArmOptions& options) {
  const Arguments always{"--optimizer.schedule=constant",
                         fmt::format("--optimizer.warmup-steps={}", options.warmup_steps),
                         fmt::format("--optimizer.ema-decay={}", options.ema_decay)};
  if (options.equal_optimizer) {
    return joined({always,
                   {"--optimizer.kind=adan", "--train.clip=1",
                    fmt::format("--optimizer.lr={}", options.learning_rate)}});
  }
  const bool is_xl = options.size == "XL", is_small = options.size == "S" || options.size == "Ti";
  switch (recipe) {
    case Recipe::kEdt:
      return joined({always,
                     {"--optimizer.kind=adan", "--train.clip=0",
                      fmt::format("--optimizer.lr={}", is_xl ? 5e-4 : 1e-3)}});
    case Recipe::kMdt:
      return joined({always,
                     {"--optimizer.kind=adan", "--train.clip=1",
                      fmt::format("--optimizer.lr={}", is_small ? 5e-4 : 3e-4)}});
    case Recipe::kDit:
      return joined({always, {"--optimizer.kind=adamw", "--train.clip=0", "--optimizer.lr=1e-4"}});
    case Recipe::kLightning:
      return joined({always,
                     {"--optimizer.kind=adamw", "--optimizer.betas=0.9,0.95", "--train.clip=0",
                      "--optimizer.lr=2e-4"}});
  }
  return always;
}

// arXiv 2410.23788 (EDT, and MDTv2 and DiT as it compares with them), 2401.08740 (SiT).
std::optional<double> published_fid(const std::string& family, const std::string& size) {
  static const std::map<std::string, double> all{
      {"EDT-S", 34.27},   {"EDT-B", 19.18},   {"EDT-XL", 7.52}, {"MDTv2-S", 39.50},
      {"MDTv2-B", 19.55}, {"MDTv2-XL", 7.70}, {"DiT-S", 68.40}, {"DiT-B", 43.47},
      {"DiT-XL", 19.5},   {"SiT-S", 57.6},    {"SiT-B", 33.0},  {"SiT-XL", 17.2}};
  const auto found = all.find(family + "-" + published_size(size));
  return found == all.end() ? std::nullopt : std::optional(found->second);
}

struct Addition {
  const char *key, *label;
  const char* published;  // FIDs with and without it, of the same kind as published_fid()
  Arguments arguments;
};

// Companions as their recipes have them (arXiv 2601.17830, 2410.06940, 2505.02831, after
// 2403.17004), then what blocks are made of: linear attention in the stages of most tokens.
std::vector<Addition> additions(const ArmOptions& options) {
  Arguments features{"--align.with=features",
                     fmt::format("--align.features.arrays={}", fmt::join(options.features, ","))};
  // The published projector would be most of a step of so small a model.
  if (options.size == "Ti") features.push_back("--align.features.projector=256");
  return {{"latent", "VAE-REPA", "FID 28.9, 33 (SiT-B)", {"--align.with=latent"}},
          {"repa", "REPA", "FID 24.4, 33 (SiT-B)", std::move(features)},
          {"sra", "SRA", "", {"--align.with=teacher"}},
          {"prototypes", "prototypes", "", {"--align.with=prototypes"}},
          {"distilled", "distillation", "", {"--distill.from=" + options.teacher.string()}},
          {"affine", "adaLN-affine", "", {"--model.modulation=affine"}},
          {"linear",
           "linear attention",
           "",
           {"--model.attention-form=linear,softmax,softmax,softmax,linear"}},
          {"spatial", "spatial layers", "", {"--model.spatial-layer=real"}},
          {"ternary", "ternary weights", "", {"--model.weights=ternary"}}};
}

// Each of `bases` with each addition.
std::vector<QualityArm> with_additions(const std::vector<QualityArm>& bases,
                                       const ArmOptions& options) {
  std::vector<QualityArm> arms;
  for (const QualityArm& base : bases) {
    for (const Addition& addition : additions(options)) {
      arms.push_back({.key = base.key + "-" + addition.key,
                      .label = base.label + " with " + addition.label,
                      .arguments = joined({base.arguments, addition.arguments}),
                      .published_fid = {},
                      .base = base.key,
                      .published_gain = addition.published});
    }
  }
  return arms;
}

}  // namespace

std::vector<QualityArm> quality_arms(const ArmOptions& options) {
  const Arguments edt = model_of("EDT", options.size), dit = model_of("DiT", options.size),
                  sit = model_of("SiT", options.size), mdt = model_of("MDTv2", options.size);
  const auto fid = [&](const char* family) { return published_fid(family, options.size); };
  const auto with = [&](Recipe recipe) { return optimizer_of(recipe, options); };
  const Arguments unmasked{"--train.masked=off"}, shared{"--train.shared-noise=on"};
  std::vector<QualityArm> arms{
      {"edt", "EDT", joined({edt, kEdtSays, with(Recipe::kEdt)}), fid("EDT")},
      {"edt-unmasked",
       "EDT without its masked pass",
       joined({edt, kEdtSays, unmasked, with(Recipe::kEdt)}),
       {}},
      {"edt-shared-noise",
       "EDT, shared noise",
       joined({edt, kEdtSays, shared, with(Recipe::kEdt)}),
       {}},
      {"edt-flow", "EDT, flow", joined({edt, kFlowSays, with(Recipe::kEdt)}), {}},
      {"mdtv2", "MDTv2", joined({mdt, kMdtSays, with(Recipe::kMdt)}), fid("MDTv2")},
      {"dit", "DiT", joined({dit, kDitSays, with(Recipe::kDit)}), fid("DiT")},
      {"sit", "SiT", joined({sit, kSitSays, with(Recipe::kDit)}), fid("SiT")},
      {"lightningdit",
       "LightningDiT, patch 2",
       joined({sit, kLightningSays, with(Recipe::kLightning)}),
       {}},
  };
  const auto more = with_additions({arms[0], arms[3]}, options);
  arms.insert(arms.end(), more.begin(), more.end());
  return arms;
}

std::string published_size(const std::string& size) { return size == "Ti" ? "S" : size; }

std::vector<std::string> quality_arm_keys() {
  std::vector<std::string> keys;
  for (const QualityArm& arm : quality_arms({})) keys.push_back(arm.key);
  return keys;
}

std::vector<std::string> usual_arm_keys() {
  std::vector<std::string> keys;
  for (const QualityArm& arm : quality_arms({})) {
    if (arm.base.empty()) keys.push_back(arm.key);
  }
  return keys;
}

}  // namespace edt
