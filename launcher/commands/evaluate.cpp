// edt evaluate, edt evaluate reference.
#include "core/base/error.h"
#include "core/options/options.h"
#include "core/storage/durable_file.h"
#include "launcher/commands/evaluate_options.h"
#include "launcher/commands/feature_run.h"
#include "launcher/commands/table.h"
#include "launcher/evaluate/feature_table.h"
#include "launcher/evaluate/latent_reference.h"
#include "launcher/evaluate/quality_report.h"
#include "launcher/text/report.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

int evaluate_pictures(const EvaluateOptions& evaluated, CommandContext& context) {
  const auto samples = open_pictures(evaluated.samples);
  const std::int64_t count =
      evaluated.count > 0 ? std::min(evaluated.count, samples->count()) : samples->count();
  require_pictures(*samples, count);
  std::optional<FeatureSet> stored = stored_reference(evaluated.reference);
  const auto backend = evaluated.network.device.make_backend(context.world);
  FeatureRun run(context, evaluated.network, *backend);
  const std::uint64_t checksum = run.network().checksum();
  if (stored) require_comparable(*stored, checksum, evaluated.network.resize);
  context.run_started = true;
  FeatureSet reference = run.reference(std::move(stored), evaluated.reference);
  FeatureCollector collector(count);
  run.collect(*samples, count, collector);
  if (!context.world.is_root()) return kDone;
  const FeatureSet set = collector.finish(samples->name(), checksum, evaluated.network.resize);
  const QualityJudge judge(std::move(reference), evaluated.quality);
  Quality quality = judge.judge(set, {collector.logits(), InceptionFeatures::kClasses});
  quality.notes.insert(quality.notes.end(), run.notes().begin(), run.notes().end());
  const QualityOrigin origin{judge.reference(), set, evaluated.quality};
  context.out << (evaluated.json ? quality_json(quality, origin) : quality_text(quality, origin));
  return kDone;
}

// The first rank alone: what takes time are products of features, on all threads.
int evaluate_features(const EvaluateOptions& evaluated, CommandContext& context) {
  if (!context.world.is_root()) return kDone;
  const fs::path& reference = evaluated.reference;
  require<UsageError>(!evaluated.features_key.empty() || is_feature_table(reference), "evaluate",
                      "{} is no file of features, as {} is: an array [pictures, width] in an .npy, "
                      ".npz, HDF5 or safetensors file",
                      reference.string(), evaluated.samples[0].string());
  const FeatureSet samples = read_feature_table(
      evaluated.samples[0], {.key = evaluated.features_key, .count = evaluated.count});
  FeatureSet others = read_feature_table(
      reference, {.key = evaluated.features_key, .count = 0, .kept = evaluated.network.kept});
  require_comparable(others, samples);
  context.run_started = true;
  const QualityJudge judge(std::move(others), evaluated.quality);
  const Quality quality = judge.judge(samples);
  const QualityOrigin origin{judge.reference(), samples, evaluated.quality};
  context.out << (evaluated.json ? quality_json(quality, origin) : quality_text(quality, origin));
  return kDone;
}

struct ReferenceOptions {
  std::vector<fs::path> pictures;
  fs::path out;
  NetworkOptions network;
  bool normalize = false, flip = true;
  std::int64_t samples = 50'000;
  std::uint64_t seed = 0;

  void declare(OptionSet& options);
};

void ReferenceOptions::declare(OptionSet& options) {
  options
      .add("pictures", &pictures,
           "an .npz with arr_0 [N, H, W, 3] of bytes, or folders and tar archives of pictures; or, "
           "without --inception, a data set, for distances of latents")
      .positional_list()
      .required();
  options.add("out", &out, "the file, .h5").required();
  network.declare(options);
  options.add("samples", &samples, "of a data set, in the order of a run's first epoch")
      .at_least(2);
  options.add("seed", &seed, "of that order, as train.seed").alias("train.seed");
  options.add("flip", &flip, "of a data set, as data.flip").alias("data.flip");
  options.add("normalize", &normalize, "of a data set, as data.normalize").alias("data.normalize");
}

FeatureSet latent_reference(const ReferenceOptions& options) {
  require<UsageError>(options.pictures.size() == 1, "evaluate reference",
                      "{} is a data set, which is given alone, not beside {} others",
                      options.pictures[0].string(), options.pictures.size() - 1);
  const data::Dataset dataset(options.pictures[0], {.normalize = options.normalize});
  const data::Description& data = dataset.description();
  const LatentFeatures features =
      LatentFeatures::of({.channels = data.channels, .height = data.height, .width = data.width},
                         LatentSpace::of(data, options.normalize));
  return latent_set_of(dataset, features,
                       {.order = {.seed = options.seed, .flips = options.flip},
                        .count = options.samples,
                        .kept = options.network.kept});
}

void refuse_others(const OptionSet& options, bool of_latents) {
  const std::vector<std::string> others =
      of_latents ? std::vector<std::string>{"inception", "resize"}
                 : std::vector<std::string>{"samples", "seed", "flip", "normalize"};
  for (const std::string& name : others) {
    require<UsageError>(!options.given(name), "evaluate reference", "--{} is for {}", name,
                        of_latents ? "pictures, and this is a data set of latents"
                                   : "data sets of latents, and these are pictures");
  }
}

}  // namespace

int evaluate(std::span<const std::string> args, CommandContext& context) {
  EvaluateOptions evaluated;
  OptionSet options("evaluate",
                    "Judges pictures, or samples of a run, against a reference: FID, sFID, "
                    "Inception Score, precision, recall, density, coverage and KID, from one pass "
                    "through FID's Inception network; without it the latents of a run's samples. "
                    "Features of other networks in files: Frechet distance (FD-DINOv2), CMMD. "
                    "The ranks share the work, and the figures do not depend on their number.");
  evaluated.declare(options);
  if (!read_options(options, args, context)) return kDone;
  evaluated.check(options);
  if (evaluated.of_features()) return evaluate_features(evaluated, context);
  return evaluated.of_run() ? evaluate_run(evaluated, options, context)
                            : evaluate_pictures(evaluated, context);
}

int evaluate_reference(std::span<const std::string> args, CommandContext& context) {
  ReferenceOptions made;
  OptionSet options("evaluate reference",
                    "Statistics and features of pictures, or of the latents of a data set, that "
                    "others are judged against, in one file. The ranks share the pictures.");
  made.declare(options);
  if (!read_options(options, args, context)) return kDone;
  const bool of_latents = is_data_set(made.pictures[0]);
  refuse_others(options, of_latents);
  if (context.world.is_root()) require_writable(made.out, "--out", ".h5 .hdf5");
  FeatureSet set;
  if (of_latents) {
    context.run_started = true;
    if (context.world.is_root()) set = latent_reference(made);
  } else {
    require<UsageError>(!made.network.weights.empty(), "evaluate reference",
                        "--inception is not given: pictures are judged by its features");
    const auto source = open_pictures(made.pictures);
    require_pictures(*source, source->count());
    const auto backend = made.network.device.make_backend(context.world);
    FeatureRun run(context, made.network, *backend);
    context.run_started = true;
    set = run.set_of(*source);
  }
  if (!context.world.is_root()) return kDone;
  write_feature_set(set, made.out);
  context.note(
      "{}: {}, features of {} kept\n", made.out.string(),
      counted(static_cast<std::uint64_t>(set.pooled.count), of_latents ? "sample" : "picture"),
      set.kept().count());
  return kDone;
}

}  // namespace edt
