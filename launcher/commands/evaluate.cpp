// edt evaluate, edt evaluate reference.
#include <iostream>
#include <optional>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/options/options.h"
#include "core/storage/durable_file.h"
#include "launcher/commands/table.h"
#include "launcher/device/device_options.h"
#include "launcher/evaluate/feature_pass.h"
#include "launcher/evaluate/quality_report.h"
#include "launcher/text/progress.h"
#include "launcher/text/report.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

// What both commands look at pictures with.
struct NetworkOptions {
  fs::path weights;
  InceptionResize resize = InceptionResize::kAdm;
  std::int64_t kept = 10'000;
  DeviceOptions device;

  void declare(OptionSet& options) {
    options
        .add("inception", &weights,
             "weights of FID's Inception network as safetensors, with pytorch-fid's names")
        .required();
    options.add(
        "resize", &resize,
        {{"adm", InceptionResize::kAdm},
         {"pytorch-fid", InceptionResize::kPytorchFid},
         {"clean", InceptionResize::kClean}},
        "how pictures become 299 pixels wide: as ADM's evaluator, pytorch-fid or clean-fid");
    options
        .add("reference-features", &kept,
             "pictures of the reference whose features are kept, for precision, recall, density, "
             "coverage and KID")
        .at_least(0);
    device.declare(options, "");
  }
};

// Features of sources, with progress on rank 0.
class FeatureRun {
 public:
  FeatureRun(CommandContext& context, const NetworkOptions& options)
      : context_(context),
        backend_(options.device.make_backend(context.world)),
        network_(options.weights, *backend_),
        resize_(options.resize) {}

  const Inception& network() const { return network_; }

  // The first `most` pictures (0: all). On rank 0 the collector has them afterwards.
  void collect(PictureSource& source, std::int64_t most, FeatureCollector& collector) {
    const std::int64_t count = most > 0 ? std::min(most, source.count()) : source.count();
    std::unique_ptr<Progress> bar;
    if (context_.world.is_root()) {
      bar = std::make_unique<Progress>(Progress::Settings{.label = "features",
                                                          .unit = "pictures",
                                                          .begin = 0,
                                                          .end = count,
                                                          .style = progress_style(context_.quiet)},
                                       context_.error);
    }
    run_features(source, network_, context_.world,
                 {.resize = resize_, .pictures = count, .sink = [&](const InceptionFeatures& more) {
                    collector.add(more);
                    bar->update(collector.count());
                  }});
  }

  // All pictures of the source, `kept` of them with their features.
  FeatureSet set_of(PictureSource& source, std::int64_t kept) {
    FeatureCollector collector(kept);
    collect(source, 0, collector);
    if (!context_.world.is_root()) return {};
    return collector.finish(source.name(), network_.checksum(), resize_);
  }

 private:
  CommandContext& context_;
  std::unique_ptr<Backend> backend_;
  Inception network_;
  InceptionResize resize_;
};

void require_pictures(const PictureSource& source, std::int64_t count) {
  require<DataError>(count >= 2, "evaluate", "{}: {}, a covariance takes 2 or more", source.name(),
                     counted(static_cast<std::uint64_t>(count), "picture"));
}

struct EvaluateOptions {
  std::vector<fs::path> samples;
  fs::path reference;
  NetworkOptions network;
  QualityOptions quality;
  std::int64_t count = 0;
  bool json = false;

  void declare(OptionSet& options) {
    options
        .add("samples", &samples,
             "an .npz with arr_0 [N, H, W, 3] of bytes, or folders and tar archives of pictures")
        .positional_list()
        .required();
    options
        .add("reference", &reference,
             "what edt evaluate reference wrote, statistics in an .npz as ADM's or pytorch-fid's, "
             "or pictures as the samples")
        .required();
    network.declare(options);
    options.add("count", &count, "the first samples alone; 0: all").at_least(0);
    options.add("score-part", &quality.score_part, "pictures of a part of the Inception Score")
        .at_least(1);
    options.add("neighbours", &quality.neighbours, "of precision and recall").range(1, 100);
    options.add("density-neighbours", &quality.density_neighbours, "of density and coverage")
        .range(1, 100);
    options.add("kid-subsets", &quality.kernel_subsets, "of KID").at_least(1);
    options.add("kid-size", &quality.kernel_size, "pictures of such a subset").at_least(2);
    options.add("seed", &quality.seed, "of these subsets");
    options.add("json", &json, "for scripts");
  }
};

// What is stored of the reference; none: it is pictures.
std::optional<FeatureSet> stored_reference(const fs::path& reference) {
  std::error_code code;
  require<UsageError>(fs::exists(reference, code), "evaluate",
                      "{}: there is no such file or folder", reference.string());
  if (!is_feature_set(reference)) return {};
  return read_feature_set(reference);
}

// Where a file holds statistics and pictures (as ADM's), the statistics count, and the pictures
// give the features of neighbours.
FeatureSet complete_reference(FeatureRun& run, std::optional<FeatureSet> stored,
                              const EvaluateOptions& options, CommandContext& context) {
  if (stored && !(stored->features.empty() && has_pictures(options.reference))) return *stored;
  const auto pictures = open_pictures({options.reference});
  if (!stored) {
    require_pictures(*pictures, pictures->count());
    return run.set_of(*pictures, options.network.kept);
  }
  FeatureCollector collector(options.network.kept);
  run.collect(*pictures, options.network.kept, collector);
  if (context.world.is_root()) {
    stored->features =
        collector.finish(stored->source, run.network().checksum(), options.network.resize).features;
  }
  return *stored;
}

}  // namespace

int evaluate(std::span<const std::string> args, CommandContext& context) {
  EvaluateOptions evaluated;
  OptionSet options("evaluate",
                    "Judges pictures against a reference: FID, sFID, Inception Score, precision, "
                    "recall, density, coverage and KID, from one pass through FID's Inception "
                    "network. The ranks share the pictures, and the figures do not depend on their "
                    "number.");
  evaluated.declare(options);
  if (!read_options(options, args, context)) return kDone;
  const auto samples = open_pictures(evaluated.samples);
  const std::int64_t count =
      evaluated.count > 0 ? std::min(evaluated.count, samples->count()) : samples->count();
  require_pictures(*samples, count);
  std::optional<FeatureSet> stored = stored_reference(evaluated.reference);
  FeatureRun run(context, evaluated.network);
  if (stored) require_comparable(*stored, run.network().checksum(), evaluated.network.resize);
  context.run_started = true;
  const FeatureSet reference = complete_reference(run, std::move(stored), evaluated, context);
  FeatureCollector collector(count);
  run.collect(*samples, count, collector);
  if (!context.world.is_root()) return kDone;
  const FeatureSet set =
      collector.finish(samples->name(), run.network().checksum(), evaluated.network.resize);
  const Quality quality =
      judge(reference, set, {collector.logits(), InceptionFeatures::kClasses}, evaluated.quality);
  const QualityOrigin origin{reference, set, evaluated.quality};
  context.out << (evaluated.json ? quality_json(quality, origin) : quality_text(quality, origin));
  return kDone;
}

int evaluate_reference(std::span<const std::string> args, CommandContext& context) {
  std::vector<fs::path> pictures;
  fs::path out;
  NetworkOptions network;
  OptionSet options("evaluate reference",
                    "Statistics and features of pictures that others are judged against, in one "
                    "file. The ranks share the pictures.");
  options
      .add("pictures", &pictures,
           "an .npz with arr_0 [N, H, W, 3] of bytes, or folders and tar archives of pictures")
      .positional_list()
      .required();
  options.add("out", &out, "the file, .h5").required();
  network.declare(options);
  if (!read_options(options, args, context)) return kDone;
  if (context.world.is_root()) require_writable(out, "--out", ".h5 .hdf5");
  const auto source = open_pictures(pictures);
  require_pictures(*source, source->count());
  FeatureRun run(context, network);
  context.run_started = true;
  const FeatureSet set = run.set_of(*source, network.kept);
  if (!context.world.is_root()) return kDone;
  write_feature_set(set, out);
  context.note("{}: {}, features of {} kept\n", out.string(),
               counted(static_cast<std::uint64_t>(set.pooled.count), "picture"),
               set.kept().count());
  return kDone;
}

}  // namespace edt
