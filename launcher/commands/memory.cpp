// edt memory: what a model knows by heart of the data set that it was trained on.
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/options/options.h"
#include "core/storage/durable_file.h"
#include "data/holdout.h"
#include "launcher/autoencoder/latents_input.h"
#include "launcher/autoencoder/vae_options.h"
#include "launcher/commands/step_options.h"
#include "launcher/commands/table.h"
#include "launcher/memorisation/memorisation_report.h"
#include "launcher/memory/memory_check.h"
#include "launcher/recipe/latent_decoder.h"
#include "launcher/recipe/model_data.h"
#include "launcher/sample/trained_data.h"
#include "launcher/text/progress.h"
#include "launcher/text/report.h"
#include "model/sampling/sample_over_ranks.h"

namespace edt {
namespace {

struct MemoryOptions {
  std::filesystem::path checkpoint, data, samples, html;
  std::string weights = "ema";
  DrawOptions draws;
  std::int64_t images = 128, batch = 8;
  int steps = 50;
  double guidance = 1;
  std::uint64_t seed = 0;
  std::size_t shown = 16;
  VaeOptions vae;
  DeviceOptions device;
  DType dtype = DType::kFloat32;
  bool json = false;

  void declare(OptionSet& options) {
    options.add("checkpoint", &checkpoint, "a checkpoint, or a run directory: its newest")
        .alias("run.dir")
        .positional()
        .required();
    options.add("weights", &weights, "moving average or raw weights").choices({"ema", "raw"});
    options.add("data", &data, "the data set that it was trained on; default: as in training")
        .alias("data.path");
    options.add("levels", &draws.levels, "of noise, at which losses are compared").range(1, 1000);
    options.add("draws", &draws.per_level, "noised samples of each level").range(1, 1 << 20);
    options
        .add("samples", &samples,
             "latents that edt sample --latents wrote, to be compared with the samples; default: "
             "they are drawn")
        .default_is("drawn");
    options.add("images", &images, "pictures that are drawn, classes in turn; 0: none")
        .range(0, 1 << 20);
    options.add("steps", &steps, "sampler steps of these").range(1, 1000);
    options.add("cfg-scale", &guidance, "classifier-free guidance of these; 1: none")
        .at_least(0)
        .single_precision();
    options.add("seed", &seed, "of draws and pictures").at_least(0);
    options.add("batch", &batch, "rows that the network sees together").range(1, 4096);
    vae.declare(options,
                "weights of the autoencoder that makes the pictures of the page, instead of the "
                "data set's decoder",
                true);
    device.declare(options, "");
    declare_dtype(options, dtype);
    options.add("html", &html, "write a page: losses, and pictures beside their nearest samples");
    options.add("shown", &shown, "pictures on it").range(1, 1000);
    options.add("json", &json, "for scripts");
  }
};

// Of the run's own pictures, or of a file.
struct Generated {
  std::vector<float> latents;
  std::vector<std::int32_t> labels;
  std::string origin;
};

class MemoryRun {
 public:
  MemoryRun(const MemoryOptions& options, CommandContext& context)
      : options_(options),
        context_(context),
        world_(context.world),
        backend_(options.device.make_backend(world_)),
        checkpoint_(find_checkpoint(options.checkpoint)),
        config_(configuration_of(checkpoint_)),
        model_config_(model_config_of(checkpoint_, config_)),
        dataset_(data_path(), {.normalize = config_.data.normalize,
                               .normalize_eps = config_.data.normalize_eps}) {
    require_fits(dataset_, model_config_);
    require_no_conditions(model_config_, "edt memory");
    if (config_.data.holdout > 0) {
      holdout_ = data::Holdout(config_.data.holdout, config_.train.seed, dataset_.size());
    }
    if (!options_.samples.empty()) read_samples();
    require_free_memory(
        PlannedSampler{model_config_, options_.dtype, options_.batch, options_.guidance != 1},
        "--batch", backend_->memory(), world_);
  }

  MemorisationReport run() {
    if (options_.samples.empty() && options_.images > 0) draw_pictures();
    const TrainedSamples seen(dataset_, trained_places(), flips());
    report_.samples = seen.size();
    const bool moments = dataset_.description().moments;
    if (moments) {
      report_.notes.push_back(
          "the data set holds moments, of which each epoch draws other latents: there is no floor, "
          "and nearest samples are those of the first epoch");
    }
    report_.floors = !moments;
    compare_with(seen);
    return std::move(report_);
  }

  // Pictures of the page: each, its nearest sample, the second.
  std::vector<Image> pairs(const MemorisationReport& report, bool& false_colours) {
    const TrainedModel trained = load(ModelUse::kSampling);
    const TrainedData data = find_trained_data(options_.data, trained);
    const auto decoder = options_.vae.path.empty()
                             ? std::shared_ptr<const data::PictureDecoder>(
                                   std::make_shared<data::Decoder>(data.decoder(model_config_)))
                             : open_decoder(options_.vae, *backend_, data.latents,
                                            model_config_.latents(), checkpoint_.path().string());
    false_colours = decoder->is_false_colour();
    const LatentShape& shape = model_config_.latents();
    const auto each = static_cast<std::size_t>(shape.elements());
    const auto decode = [&](std::span<const float> latent) {
      return decoder->decode(latent, static_cast<int>(shape.height), static_cast<int>(shape.width));
    };
    std::vector<Image> images;
    std::vector<float> sample(each);
    data::ReadScratch scratch;
    for (std::size_t i = 0; i < std::min(options_.shown, report.pictures.size()); ++i) {
      const PictureAndSample& one = report.pictures[i];
      images.push_back(decode(std::span(generated_.latents).subspan(one.picture * each, each)));
      for (std::size_t k = 0; k < 2; ++k) {
        if (one.nearest.sample[k] == NearestPair::kNone) {  // a set of one sample
          images.emplace_back(images.back().width, images.back().height, 255);
          continue;
        }
        const data::SampleRef ref{.index = one.nearest.sample[k], .flipped = one.flipped[k]};
        dataset_.read(std::span(&ref, 1), options_.seed, scratch, sample);
        images.push_back(decode(sample));
      }
    }
    return images;
  }

 private:
  std::filesystem::path data_path() const {
    const std::filesystem::path path = options_.data.empty() ? config_.data.path : options_.data;
    require<UsageError>(std::filesystem::exists(path), "memory",
                        "{}, the data set of the run, is not there: --data names it",
                        path.string());
    return path;
  }

  bool flips() const { return dataset_.description().flipped && config_.data.flip; }

  std::vector<std::uint64_t> trained_places() const {
    std::vector<std::uint64_t> places;
    const std::uint64_t trained = dataset_.size() - holdout_.held().size();
    for (std::uint64_t i = 0; i < trained; ++i) places.push_back(holdout_.trained(i));
    return places;
  }

  TrainedModel load(ModelUse use) const {
    return {checkpoint_, model_config_,  options_.weights == "raw" ? kMasterArray : kEmaArray,
            *backend_,   options_.dtype, use};
  }

  void read_samples() {
    const LatentsInput input = read_latents(options_.samples);
    const LatentShape& shape = model_config_.latents();
    require<DataError>(input.channels == shape.channels && input.size.height == shape.height &&
                           input.size.width == shape.width,
                       "memory", "{} holds latents of {}x{}x{}, the model makes {}x{}x{}",
                       options_.samples.string(), input.channels, input.size.height,
                       input.size.width, shape.channels, shape.height, shape.width);
    generated_.latents = input.values;
    generated_.labels.assign(static_cast<std::size_t>(input.count), -1);
    generated_.origin = options_.samples.string();
  }

  void draw_pictures() {
    TrainedModel trained = load(ModelUse::kSampling);
    PictureSampler sampler(trained.model(), *backend_, options_.dtype);
    PictureRequest request;
    request.seed = options_.seed;
    request.batch = std::min(options_.batch, options_.images);
    request.solver.kind = preview_solver(model_config_.common().process);
    request.solver.spacing = std::to_string(options_.steps);
    request.guidance.scale = static_cast<float>(options_.guidance);
    for (std::int64_t i = 0; i < options_.images; ++i) {
      request.labels.push_back(class_in_turn(i, model_config_.classes()));
    }
    const std::int64_t round = request.batch * world_.size();
    const auto bar =
        progress("sample", "steps", (options_.images + round - 1) / round * options_.steps);
    std::int64_t steps = 0;
    sample_over_ranks(
        sampler, request, world_,
        [&](std::span<const float> latents) {
          generated_.latents.insert(generated_.latents.end(), latents.begin(), latents.end());
        },
        [&] {
          if (bar) bar->update(++steps);
        });
    generated_.latents.resize(request.labels.size() * sampler.picture_elements());
    world_.broadcast(view_of(std::span(generated_.latents),
                             {static_cast<std::int64_t>(generated_.latents.size())}),
                     0, "sampled pictures");
    generated_.labels = request.labels;
    generated_.origin = fmt::format("{} drawn in {} steps of {}, guidance {}",
                                    counted(request.labels.size(), "picture"), options_.steps,
                                    name_of(*request.solver.kind), options_.guidance);
  }

  void compare_with(const TrainedSamples& seen) {
    TrainedModel trained = load(ModelUse::kTraining);
    const Process& process = trained.model().process();
    ForwardPass network(trained.model(), *backend_, options_.dtype);
    DrawOptions draws = options_.draws;
    draws.seed = options_.seed;
    const auto bar = progress("samples", "samples", static_cast<std::int64_t>(seen.size()));
    ComparisonInputs inputs{.process = process,
                            .levels = noise_levels(process, draws.levels),
                            .draws = make_draws(draws, seen.places(), seen.flipped()),
                            .seed = options_.seed,
                            .pictures = generated_.latents,
                            .floors = report_.floors,
                            .batch = options_.batch,
                            .progress = [&](std::uint64_t done) {
                              if (bar) bar->update(static_cast<std::int64_t>(done));
                            }};
    const Comparison found = compare(seen, inputs, network, world_);
    std::vector<double> held_out;
    if (!holdout_.empty()) {
      const std::vector<std::uint64_t> held(holdout_.held().begin(), holdout_.held().end());
      inputs.draws = make_draws(draws, held, seen.flipped());
      held_out = losses_at(dataset_, inputs, network, world_);
    }
    if (!world_.is_root()) return;
    report_.model = trained.model().name();
    report_.checkpoint = std::filesystem::absolute(trained.checkpoint()).string();
    report_.step = trained.step();
    report_.weights = options_.weights == "raw" ? "raw" : "moving-average";
    report_.data = dataset_.path().string();
    report_.draws = draws.per_level;
    report_.levels = level_losses(process, inputs.levels, found.draws);
    for (std::size_t i = 0; i < held_out.size(); ++i) {
      LevelLosses& level = report_.levels[inputs.draws[i].level];
      level.held_out =
          level.held_out.value_or(0) + held_out[i] / static_cast<double>(draws.per_level);
    }
    report_.held_out = holdout_.held().size() * (seen.flipped() ? 2 : 1);
    report_.pictures_from = generated_.origin;
    take_pictures(found.pictures, seen);
  }

  void take_pictures(const std::vector<NearestPair>& pairs, const TrainedSamples& seen) {
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      PictureAndSample one{.picture = i, .label = generated_.labels[i], .nearest = pairs[i]};
      for (std::size_t k = 0; k < 2; ++k) {
        if (one.nearest.sample[k] == NearestPair::kNone) continue;
        const data::SampleRef ref = seen.at(one.nearest.sample[k]);
        one.nearest.sample[k] = ref.index;
        one.flipped[k] = ref.flipped;
      }
      one.label_of_sample = dataset_.label(one.nearest.sample[0]);
      report_.pictures.push_back(one);
    }
    std::ranges::stable_sort(report_.pictures, {}, [](const PictureAndSample& one) {
      return std::pair(!one.nearest.is_copy(), one.nearest.ratio());
    });
  }

  std::unique_ptr<Progress> progress(const char* label, const char* unit, std::int64_t end) const {
    if (!world_.is_root()) return nullptr;
    const bool quiet = context_.quiet || options_.json;
    return std::make_unique<Progress>(
        Progress::Settings{
            .label = label, .unit = unit, .begin = 0, .end = end, .style = progress_style(quiet)},
        context_.error);
  }

  const MemoryOptions& options_;
  CommandContext& context_;
  Communicator& world_;
  std::unique_ptr<Backend> backend_;
  Checkpoint checkpoint_;
  TrainConfig config_;
  ModelConfig model_config_;
  data::Dataset dataset_;
  data::Holdout holdout_;  // of the run
  Generated generated_;
  MemorisationReport report_;
};

}  // namespace

int memory(std::span<const std::string> args, CommandContext& context) {
  MemoryOptions options;
  OptionSet set(
      "memory",
      "What a model knows by heart: its loss beside the least that any network could have "
      "on just these samples, and which of its pictures are samples. The ranks share the "
      "work, and the figures do not depend on their number.");
  options.declare(set);
  if (!read_options(set, args, context)) return kDone;
  require<UsageError>(options.samples.empty() || !set.given("images"), "memory",
                      "--samples {} and --images {} are both given, one is needed",
                      options.samples.string(), options.images);
  require_writable(options.html, "--html", ".html .htm");
  MemoryRun run(options, context);
  context.run_started = true;
  const MemorisationReport report = run.run();
  if (!context.world.is_root()) return kDone;
  if (!options.html.empty()) {
    bool false_colours = false;
    const std::vector<Image> pairs = run.pairs(report, false_colours);
    memorisation_page(report, pairs, false_colours).write(options.html);
  }
  if (options.json) {
    context.print("{}\n", dump_json(to_json(report), 2));
  } else {
    context.print("{}", memorisation_text(report));
  }
  return kDone;
}

}  // namespace edt
