#include "launcher/quality/measure.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/clock.h"
#include "data/decoder.h"
#include "data/holdout.h"
#include "launcher/evaluate/latent_reference.h"
#include "launcher/evaluate/quality.h"
#include "launcher/evaluate/sample_pass.h"
#include "launcher/memorisation/comparison.h"
#include "launcher/recipe/latent_decoder.h"
#include "launcher/sample/cache_report.h"
#include "launcher/sample/trained_data.h"

namespace edt {
namespace {

constexpr int kLevels = 8;

// alpha / sigma in the middle of equal parts of the discrete process, from data to noise.
std::vector<double> ratios() {
  const Process ddpm{ProcessConfig{}};
  std::vector<double> all;
  for (const double t : noise_levels(ddpm, kLevels)) {
    const PathPoint p = ddpm.at(t);
    all.push_back(p.alpha / p.sigma);
  }
  return all;
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

PictureRequest request_of(const MeasureOptions& options, const Model& model,
                          std::vector<std::int32_t> labels) {
  PictureRequest request;
  request.labels = std::move(labels);
  request.seed = options.seed;
  request.solver.kind = preview_solver(model.process().config());
  request.solver.spacing = std::to_string(options.steps);
  request.guidance.scale = static_cast<float>(options.guidance);
  request.batch = std::min(options.batch, static_cast<std::int64_t>(request.labels.size()));
  return request;
}

}  // namespace

double time_of_ratio(const Process& process, double ratio) {
  if (process.steps() > 0) {
    const auto away = [&](std::int32_t step) {
      const PathPoint p = process.at(process.time_of(step));
      return std::abs(std::log(p.alpha / p.sigma / ratio));
    };
    std::int32_t nearest = 0;
    for (std::int32_t step = 1; step < process.steps(); ++step) {
      if (away(step) < away(nearest)) nearest = step;
    }
    return process.time_of(nearest);
  }
  double low = 0, high = 1;  // the ratio falls with t
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    const PathPoint p = process.at(middle);
    (p.alpha > ratio * p.sigma ? low : high) = middle;
  }
  return (low + high) / 2;
}

QualityMeter::QualityMeter(const data::Dataset& dataset, const MeasureOptions& options,
                           Backend& backend, Communicator& ranks)
    : dataset_(dataset), options_(options), backend_(backend), ranks_(ranks) {
  if (!options.inception.empty()) {
    inception_ = std::make_unique<Inception>(options.inception, backend);
    const FeatureSet reference = read_feature_set(options.reference);
    require_comparable(reference, inception_->checksum(), InceptionResize::kAdm);
    if (ranks.is_root()) pictures_ = std::make_unique<FrechetReference>(reference.pooled);
  }
}

TrainedModel QualityMeter::load(const std::filesystem::path& run, ModelUse use) const {
  const Checkpoint checkpoint = find_checkpoint(run);
  const ModelConfig config = model_config_of(checkpoint, configuration_of(checkpoint));
  return {checkpoint, config, kEmaArray, backend_, options_.dtype, use};
}

std::shared_ptr<const data::PictureDecoder> QualityMeter::decoder_of(
    const TrainedModel& trained) const {
  const TrainedData data = find_trained_data(dataset_.path(), trained);
  const ModelConfig& model = trained.model_config();
  if (options_.vae.path.empty()) return std::make_shared<data::Decoder>(data.decoder(model));
  return open_decoder(options_.vae, backend_, data.latents, model.latents(),
                      dataset_.path().string());
}

MeasuredQuality QualityMeter::measure(const std::filesystem::path& run, const SamplingForm& form) {
  MeasuredQuality quality;
  measure_errors(run, form, quality);
  measure_distances(run, form, quality);
  return quality;
}

void QualityMeter::measure_errors(const std::filesystem::path& run, const SamplingForm& form,
                                  MeasuredQuality& quality) {
  TrainedModel trained = load(run, ModelUse::kTraining);
  trained.hold(form.weights.apply(backend_, trained.model()));
  const Process& process = trained.model().process();
  ForwardPass network(trained.model(), backend_, options_.dtype);
  const TrainConfig& config = trained.config();
  const data::Holdout holdout =
      config.data.holdout > 0
          ? data::Holdout(config.data.holdout, config.train.seed, dataset_.size())
          : data::Holdout();
  std::vector<std::uint64_t> held(holdout.held().begin(), holdout.held().end()), seen;
  for (std::uint64_t i = 0; i < dataset_.size() - held.size(); ++i)
    seen.push_back(holdout.trained(i));
  std::vector<double> levels;
  for (const double ratio : ratios()) levels.push_back(time_of_ratio(process, ratio));
  const auto error_on = [&](const std::vector<std::uint64_t>& places) {
    const DrawOptions draws{.levels = kLevels, .per_level = options_.draws, .seed = options_.seed};
    const ComparisonInputs inputs{.process = process,
                                  .levels = levels,
                                  .draws = make_draws(draws, places, false),
                                  .seed = options_.seed,
                                  .pictures = {},
                                  .of_noise = true,
                                  .batch = options_.batch,
                                  .progress = {}};
    const auto losses = losses_at(dataset_, inputs, network, ranks_);
    return ranks_.all_reduce_value(ranks_.is_root() ? mean_of(losses) : 0.0, Reduce::kSum,
                                   "error of the noise");
  };
  quality.held_out = held.empty() ? NAN : error_on(held);
  quality.trained = error_on(seen);
}

void QualityMeter::measure_distances(const std::filesystem::path& run, const SamplingForm& form,
                                     MeasuredQuality& quality) {
  TrainedModel trained = load(run, ModelUse::kSampling);
  Model& model = trained.model();
  trained.hold(form.weights.apply(backend_, model));
  PictureRequest request = request_of(
      options_, model,
      drawn_labels(options_.samples, model.classes(), LabelOrder::kInTurn, options_.seed));
  request.cache = form.cache;
  SampleEye eye{.latents = LatentFeatures::of(
                    model.latents(),
                    LatentSpace::of(dataset_.description(), trained.config().data.normalize)),
                .decoder = nullptr};
  const auto distance_by = [&](std::unique_ptr<FrechetReference>& reference) {
    PictureSampler sampler(model, backend_, options_.dtype);
    const auto begin = Clock::now();
    const SeenSamples seen = see_samples(sampler, request, eye, ranks_);
    if (eye.network == nullptr) {
      quality.sampling_seconds = seconds_since(begin);
      if (ranks_.is_root()) {
        quality.sampling_gmac = work_of(sampler, trained.model_config(), request).gmac;
      }
    }
    double distance = 0;
    if (ranks_.is_root()) {
      if (!reference) {
        reference = std::make_unique<FrechetReference>(
            latent_set_of(dataset_, eye.latents,
                          {.order = {.seed = options_.seed, .flips = false}, .kept = 0})
                .pooled);
      }
      // A model that has come apart makes nothing that has a distance.
      distance =
          seen.set.pooled.width() == 0 ? NAN : reference->distance_to(seen.set.pooled).value();
    }
    double shared = ranks_.is_root() && std::isfinite(distance) ? distance : 0;
    const bool is_finite = !ranks_.any(ranks_.is_root() && !std::isfinite(distance), "distance");
    shared = ranks_.all_reduce_value(shared, Reduce::kSum, "distance");
    return is_finite ? shared : NAN;
  };
  quality.latent_distance = distance_by(latents_);
  if (!inception_) return;
  eye.decoder = decoder_of(trained);
  eye.network = inception_.get();
  quality.fid = distance_by(pictures_);
}

Image QualityMeter::grid(const std::filesystem::path& run) {
  if (!ranks_.is_root() || options_.pictures == 0) return {};
  TrainedModel trained = load(run, ModelUse::kSampling);
  Model& model = trained.model();
  PictureSampler sampler(model, backend_, options_.dtype);
  const PictureRequest request = request_of(
      options_, model,
      drawn_labels(options_.pictures, model.classes(), LabelOrder::kInTurn, options_.seed));
  std::vector<float> latents(request.labels.size() * sampler.picture_elements());
  sampler.run(request, latents);
  const auto decoder = decoder_of(trained);
  const LatentShape& shape = model.latents();
  std::vector<Image> images;
  for (std::size_t at = 0; at < latents.size(); at += sampler.picture_elements()) {
    images.push_back(decoder->decode(std::span(latents).subspan(at, sampler.picture_elements()),
                                     static_cast<int>(shape.height),
                                     static_cast<int>(shape.width)));
  }
  return make_grid(images, grid_columns(model.classes()));
}

}  // namespace edt
