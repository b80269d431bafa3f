#include "launcher/commands/feature_run.h"

#include "core/base/error.h"
#include "core/storage/missing_path.h"
#include "launcher/evaluate/feature_pass.h"
#include "launcher/evaluate/latent_reference.h"
#include "launcher/text/progress.h"
#include "launcher/text/report.h"

namespace edt {

FeatureRun::FeatureRun(CommandContext& context, const NetworkOptions& options, Backend& backend)
    : context_(context),
      network_(options.weights, backend),
      resize_(options.resize),
      kept_(options.kept) {}

void FeatureRun::collect(PictureSource& source, std::int64_t most, FeatureCollector& collector) {
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
  const PictureSizes sizes = run_features(
      source, network_, context_.world,
      {.resize = resize_, .pictures = count, .sink = [&](const InceptionFeatures& more) {
         collector.add(more);
         bar->update(collector.count());
       }});
  if (sizes.are_mixed()) {
    notes_.push_back(fmt::format("{}: pictures of several sizes, {}, all scaled to 299",
                                 source.name(), sizes.text()));
  }
}

FeatureSet FeatureRun::set_of(PictureSource& source) {
  require_pictures(source, source.count());
  FeatureCollector collector(kept_);
  collect(source, 0, collector);
  if (!context_.world.is_root()) return {};
  return collector.finish(source.name(), network_.checksum(), resize_);
}

FeatureSet FeatureRun::reference(std::optional<FeatureSet> stored,
                                 const std::filesystem::path& path) {
  if (stored && !(stored->features.empty() && stored->has_pictures)) return *std::move(stored);
  const auto pictures = open_pictures({path});
  if (!stored) return set_of(*pictures);
  FeatureCollector collector(kept_);
  collect(*pictures, kept_, collector);
  if (context_.world.is_root()) {
    stored->features = collector.finish(stored->source, network_.checksum(), resize_).features;
  }
  return *std::move(stored);
}

std::optional<FeatureSet> stored_reference(const std::filesystem::path& reference) {
  std::error_code code;
  require<UsageError>(std::filesystem::exists(reference, code), "evaluate",
                      "{}: there is no such file or folder{}", reference.string(),
                      missing_path_hint(reference));
  require<UsageError>(!is_data_set(reference), "evaluate",
                      "{} is a data set of latents: pictures are judged against pictures, or "
                      "statistics of some",
                      reference.string());
  if (!is_feature_set(reference)) return {};
  return read_feature_set(reference);
}

void require_pictures(const PictureSource& source, std::int64_t count) {
  require<DataError>(count >= 2, "evaluate", "{}: {}, a covariance takes 2 or more", source.name(),
                     counted(static_cast<std::uint64_t>(count), "picture"));
}

}  // namespace edt
