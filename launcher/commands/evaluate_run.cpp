// edt evaluate RUN: samples made and judged in one go.
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/storage/checksum.h"
#include "launcher/autoencoder/vae_decoder.h"
#include "launcher/commands/feature_run.h"
#include "launcher/evaluate/latent_reference.h"
#include "launcher/evaluate/quality_report.h"
#include "launcher/recipe/model_data.h"
#include "launcher/recipe/text_space.h"
#include "launcher/text/progress.h"
#include "launcher/text/report.h"
#include "model/plan/inception_run.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

class RunEvaluation {
 public:
  RunEvaluation(EvaluateOptions& options, const OptionSet& set, CommandContext& context)
      : options_(options), context_(context), run_(options.sampling.open(options.samples[0], set)) {
    if (sees_pictures()) options.sampling.take_decoder_of(run_.config.run);
    PictureRequest& request = options.sampling.request;
    options.sampling.resolve(set);
    request.labels =
        drawn_labels(options.count, run_.model.classes(), options.labels, request.seed);
    request.batch = std::min(request.batch, options.count);
    require_no_frames(run_.model, "edt evaluate");
    if (sees_pictures()) stored_ = stored_reference(options.reference);
    backend_ = options.network.device.make_backend(context.world);
    options.sampling.weights_type.require_possible(*backend_);
    options.sampling.require_memory(
        run_, backend_->memory(), context.world,
        sees_pictures() ? dry_run_of_inception(options.network.weights) : 0);
    trained_ = options.sampling.load(run_, *backend_);
    guide_ = options.sampling.load_guide(run_, *backend_, context.world);
    data_ = find_trained_data(options.sampling.data, *trained_);
    open_eye();
    if (run_.model.common().text.is_on()) open_texts();
  }

  int run() {
    context_.run_started = true;
    FeatureSet reference = eye_.sees_pictures()
                               ? features_->reference(std::move(stored_), options_.reference)
                               : latent_reference();
    const SeenSamples seen = make_samples();
    if (!context_.world.is_root()) return kDone;
    require<NumericError>(seen.not_finite == 0, "evaluate",
                          "latents of {} of {} samples are not finite", seen.not_finite,
                          options_.count);
    FeatureSet set = seen.set;
    set.source = options_.samples[0].string();
    const QualityJudge judge(std::move(reference), options_.quality);
    Quality quality = judge.judge(set, {seen.logits, InceptionFeatures::kClasses});
    note_sampling(quality);
    const nlohmann::ordered_json made = facts();
    const QualityOrigin origin{judge.reference(), set, options_.quality, &made, text()};
    context_.out << (options_.json ? quality_json(quality, origin) : quality_text(quality, origin));
    return kDone;
  }

 private:
  bool sees_pictures() const { return !options_.network.weights.empty(); }

  // Those of the data set, in an order that the seed draws.
  void open_texts() {
    require<UsageError>(data_.description.has_value(), "evaluate",
                        "{} reads texts, and {}: --data names it", run_.model.name(),
                        data_.absence());
    texts_ = std::make_unique<data::Dataset>(data_.path);
    PictureRequest& request = options_.sampling.request;
    TextSpace::of(run_.config.model, run_.checkpoint)
        .require_same(TextSpace::of(texts_->description().text, data_.path.string()),
                      data_.path.string());
    take_texts(*texts_, run_.model, drawn_samples(texts_->size(), request.seed), request);
  }

  void open_eye() {
    require<UsageError>(data_.latents.has_value(), "evaluate",
                        "neither {} nor a data set says the scale of its latents: --data names the "
                        "set that the model was trained on",
                        trained_->checkpoint().string());
    eye_.latents = LatentFeatures::of(trained_->model_config().latents(), *data_.latents);
    if (!sees_pictures()) return open_latent_reference();
    eye_.decoder = options_.sampling.decoder(*trained_, data_, *backend_);
    require<UsageError>(!eye_.decoder->is_false_colour(), "evaluate",
                        "there is no decoder, and Inception would take false colours for pictures: "
                        "--vae names an autoencoder; without --inception latents are judged");
    features_.emplace(context_, options_.network, *backend_);
    eye_.network = &features_->network();
    eye_.resize = options_.network.resize;
    if (stored_) require_comparable(*stored_, eye_.network->checksum(), eye_.resize);
  }

  // A file, or the data set that was named, or that of the run.
  void open_latent_reference() {
    const fs::path path = options_.reference.empty() ? data_.path : options_.reference;
    std::error_code code;
    require<UsageError>(
        fs::exists(path, code), "evaluate",
        "{}: --reference names one, or a file that edt evaluate reference made of "
        "one",
        path.empty() ? data_.absence() : path.string() + ": there is no such data set");
    if (is_data_set(path)) {
      dataset_.emplace(path, data::DatasetOptions{.normalize = run_.config.data.normalize,
                                                  .normalize_eps = run_.config.data.normalize_eps});
      const data::Description& data = dataset_->description();
      eye_.latents.require_same(
          LatentFeatures::of(
              {.channels = data.channels, .height = data.height, .width = data.width},
              LatentSpace::of(data, run_.config.data.normalize)),
          path.string());
      return;
    }
    require<UsageError>(is_feature_set(path), "evaluate",
                        "{} is neither a data set nor what edt evaluate reference made of one",
                        path.string());
    stored_ = read_feature_set(path);
    require_comparable(*stored_, eye_.latents);
  }

  FeatureSet latent_reference() {
    if (stored_) return *std::move(stored_);
    if (!context_.world.is_root()) return {};
    const TrainConfig& config = run_.config;
    return latent_set_of(*dataset_, eye_.latents,
                         {.order = {.seed = config.train.seed,
                                    .flips = config.data.flip,
                                    .holdout = config.data.holdout},
                          .kept = options_.network.kept});
  }

  SeenSamples make_samples() {
    const PictureRequest& request = options_.sampling.request;
    PictureSampler sampler(trained_->model(), *backend_, options_.sampling.dtype,
                           guide_ ? &guide_->model() : nullptr);
    const int steps = make_solver(trained_->model().process(), request.solver)->steps();
    const std::int64_t round = request.batch * context_.world.size();
    const bool quiet = options_.json || context_.quiet || !context_.world.is_root();
    Progress bar({.label = "sample",
                  .unit = "steps",
                  .end = (options_.count + round - 1) / round * steps,
                  .style = progress_style(quiet)},
                 context_.error);
    std::int64_t done = 0;
    return see_samples(sampler, request, eye_, context_.world, true, [&] { bar.update(++done); });
  }

  const AutoencoderInfo* autoencoder() const {
    const auto* vae = dynamic_cast<const VaeDecoder*>(eye_.decoder.get());
    return vae == nullptr ? nullptr : &vae->info();
  }

  nlohmann::ordered_json facts() {
    nlohmann::ordered_json facts = options_.sampling.facts(*trained_, guide_.get());
    facts["labels"] = name_of(options_.labels);
    facts["batch"] = options_.sampling.request.batch;
    if (const AutoencoderInfo* info = autoencoder()) {
      facts["decoder"] = info->path.string();
      facts["decoder_checksum"] = checksum_text(info->decoder_checksum);
      facts["decoder_dtype"] = name_of(options_.sampling.vae.network.decode);
    } else if (eye_.decoder) {
      facts["decoder"] = "linear, of " + data_.path.string();
    }
    return facts;
  }

  std::string text() const {
    const SamplingOptions& sampling = options_.sampling;
    const Model& model = trained_->model();
    std::string text = fmt::format(
        "{}, step {}, {} weights, {} with {} steps, guidance {}, labels {}, seed {}, {}",
        trained_->model_config().name(), trained_->step(), sampling.weights,
        sampling.sampler_name(model),
        make_solver(model.process(), sampling.request.solver)->steps(),
        sampling.request.guidance.scale,
        options_.labels == LabelOrder::kRandom ? "at random" : "in turn", sampling.request.seed,
        sampling.weights_type.text(sampling.dtype));
    if (guide_) {
      text += fmt::format(", guided by {}, step {}", guide_->model_config().name(), guide_->step());
    }
    if (const AutoencoderInfo* info = autoencoder()) {
      text += fmt::format("; decoded by {}, {}", info->path.string(),
                          name_of(sampling.vae.network.decode));
    } else if (eye_.decoder) {
      text += "; decoded by the data set's linear decoder";
    }
    return text;
  }

  void note_sampling(Quality& quality) const {
    if (features_) {
      quality.notes.insert(quality.notes.end(), features_->notes().begin(),
                           features_->notes().end());
    }
    const double guidance = options_.sampling.request.guidance.scale;
    if (guidance != 1) {
      quality.notes.push_back(
          fmt::format("guidance {}: compare with figures of the same guidance alone", guidance));
    }
    if (options_.labels == LabelOrder::kInTurn) {
      quality.notes.emplace_back("labels in turn: published figures draw them at random");
    }
    if (const AutoencoderInfo* info = autoencoder(); info != nullptr && info->preview) {
      quality.notes.push_back(
          fmt::format("{} decodes previews: not the pictures of the autoencoder itself",
                      info->path.filename().string()));
    }
  }

  EvaluateOptions& options_;
  CommandContext& context_;
  SampleSource run_;
  std::optional<FeatureSet> stored_;  // the reference, where a file has it
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<TrainedModel> trained_, guide_;  // null: the model guides itself
  TrainedData data_;
  std::optional<data::Dataset> dataset_;  // the reference, where it is one
  std::unique_ptr<data::Dataset> texts_;  // whose texts the samples show
  std::optional<FeatureRun> features_;
  SampleEye eye_;
};

}  // namespace

int evaluate_run(EvaluateOptions& evaluated, const OptionSet& options, CommandContext& context) {
  return RunEvaluation(evaluated, options, context).run();
}

}  // namespace edt
