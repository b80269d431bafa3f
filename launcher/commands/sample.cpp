// edt sample: pictures from a checkpoint.
#include <fmt/ranges.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/json/json_text.h"
#include "core/options/options.h"
#include "core/storage/missing_path.h"
#include "data/dataset.h"
#include "launcher/commands/step_options.h"
#include "launcher/commands/table.h"
#include "launcher/sample/cache_report.h"
#include "launcher/sample/frame_options.h"
#include "launcher/sample/known_options.h"
#include "launcher/sample/picture_output.h"
#include "launcher/sample/sampling_options.h"
#include "launcher/sample/sequence_output.h"
#include "launcher/sample/sequence_page.h"
#include "launcher/sample/text_options.h"
#include "launcher/text/progress.h"
#include "launcher/text/report.h"
#include "model/sampling/sample_over_ranks.h"

namespace edt {
namespace {

constexpr std::int64_t kMostPictures = 1 << 24;

struct SampleOptions : SamplingOptions {
  std::filesystem::path checkpoint, init_noise, step_noise;
  std::vector<std::int32_t> classes;
  std::int64_t per_class = 1, images = 0;
  int columns = 0;
  KnownOptions known;
  TextOptions text;
  FrameOptions frames;
  DeviceOptions device;
  OutputPaths out;
  bool json = false;

  void declare(OptionSet& options);
  // UsageError for classes that the model does not have. Pictures of texts need none.
  void resolve_labels(const ModelConfig& model);
};

void SampleOptions::declare(OptionSet& options) {
  options
      .add("checkpoint", &checkpoint,
           "a checkpoint, a run directory: its newest, or a file of ckpt export --packed")
      .alias("run.dir")
      .positional()
      .required();
  declare_source(options);
  options.add("classes", &classes, "class of each row of pictures");
  options.add("per-class", &per_class, "pictures of each class").range(1, kMostPictures);
  options.add("images", &images, "instead of classes: this many pictures, classes in turn")
      .range(0, kMostPictures);
  options.add("columns", &columns, "pictures in a row of the grid; 0: chosen").range(0, 1000);
  declare_sampler(options);
  known.declare(options);
  text.declare(options);
  frames.declare(options);
  options.add("init-noise", &init_noise, "HDF5 file, data set z [N, C, H, W], instead of the seed");
  options.add("step-noise", &step_noise,
              "HDF5 file, data set step_noise [steps, N, C, H, W], instead of the seed");
  options.add("batch", &request.batch, "pictures made together").range(1, 4096);
  device.declare(options, "");
  declare_dtype(options, dtype);
  declare_memory_check(options, memory_check);
  options.add("out", &out.grid,
              "PNG grid of all pictures; of sequences an .npz: samples [N, frames, numbers] in the "
              "units of the data, labels and frames");
  options.add("out-dir", &out.singles, "directory of single PNGs");
  options.add("replace", &out.replace, "remove the pictures of an earlier call from out-dir");
  options.add("latents", &out.latents,
              "HDF5 or .safetensors file of the latents, with all that decoding them needs");
  options.add("npz", &out.npz, "uint8 arr_0 [N, H, W, 3], for FID evaluators");
  options.add("page", &out.page, "of sequences: HTML page of plots beside the data's");
  options.add("json", &json, "for scripts");
}

void SampleOptions::resolve_labels(const ModelConfig& model) {
  const std::int64_t model_classes = model.classes();
  const bool reads_texts = model.common().text.is_on();
  require<UsageError>(images == 0 || classes.empty(), "sample",
                      "--images {} and --classes are both given, one is needed", images);
  require<UsageError>(classes.empty() || model_classes > 0, "sample",
                      "--classes is {}, and {} reads no classes", fmt::join(classes, ","),
                      model.name());
  if (reads_texts && classes.empty()) {
    require<UsageError>(per_class == 1, "sample",
                        "--per-class is {}, and pictures show texts: --images says how many",
                        per_class);
    const std::int64_t pictures = images > 0 ? images : text.pictures();
    request.labels.assign(static_cast<std::size_t>(pictures),
                          static_cast<std::int32_t>(model_classes));
    return;
  }
  if (images > 0) {
    for (std::int64_t i = 0; i < images; ++i) {
      request.labels.push_back(class_in_turn(i, model_classes));
    }
    return;
  }
  require<UsageError>(!classes.empty(), "sample", "neither --classes nor --images is given");
  for (std::int32_t label : classes) {
    require<UsageError>(0 <= label && label < model_classes, "sample",
                        "--classes names {}, the model has classes 0 to {}", label,
                        model_classes - 1);
    request.labels.insert(request.labels.end(), static_cast<std::size_t>(per_class), label);
  }
}

std::vector<float> read_noise(const std::filesystem::path& path, const std::string& name,
                              const h5::Shape& expected) {
  if (path.empty()) return {};
  require<UsageError>(std::filesystem::is_regular_file(path), "sample",
                      "{}: there is no such file{}", path.string(), missing_path_hint(path));
  const h5::File file = h5::File::open(path);
  const h5::DataSet set = file.dataset(name);
  require<DataError>(set.shape() == expected, "sample", "{} is {}, {} is needed", set.label(),
                     h5::to_string(set.shape()), h5::to_string(expected));
  return set.read_all<float>(h5::Type::kFloat32);
}

h5::Shape sample_shape(const LatentShape& latents) {
  return {static_cast<std::uint64_t>(latents.channels), static_cast<std::uint64_t>(latents.height),
          static_cast<std::uint64_t>(latents.width)};
}

void read_noises(SampleOptions& options, const Model& model, const Solver& solver) {
  h5::Shape pictures = sample_shape(model.latents());
  pictures.insert(pictures.begin(), options.request.labels.size());
  options.request.init_noise = read_noise(options.init_noise, "z", pictures);
  if (options.step_noise.empty()) return;
  h5::Shape steps = pictures;
  require<UsageError>(solver.is_noisy(), "sample",
                      "--step-noise is {}, and the sampler, {}, adds none",
                      options.step_noise.string(), options.sampler_name(model));
  steps.insert(steps.begin(), static_cast<std::uint64_t>(solver.steps()));
  options.request.step_noise = read_noise(options.step_noise, "step_noise", steps);
}

void warn_of_what_is_missing(const SampleOptions& options, const TrainedData& data,
                             const data::PictureDecoder& decoder) {
  if (decoder.is_false_colour() && options.out.pictures()) {
    const std::string autoencoder = data.latents ? data.latents->autoencoder : std::string();
    log::warning(
        "{}: pictures are {}{}",
        data.description ? fmt::format("{} has no decoder", data.path.string()) : data.absence(),
        data::kFalseColours,
        autoencoder.empty() ? std::string("; --vae names an autoencoder")
                            : fmt::format("; --vae names the weights of {}, checksum {}",
                                          autoencoder, data.latents->autoencoder_checksum));
  }
  if (!options.out.latents.empty() && !data.latents) {
    log::warning(
        "neither the checkpoint nor a data set says the scale of the latents: {} will not "
        "either; --data names the set the model was trained on",
        options.out.latents.string());
  }
}

// What makes the pictures.
struct LoadedModels {
  std::unique_ptr<TrainedModel> trained, guide;  // guide null: the model guides itself
};

// What is read, and must still be there afterwards; empty paths for none.
std::vector<std::filesystem::path> inputs_of(const SampleOptions& options,
                                             const LoadedModels& models, const TrainedData& data) {
  std::vector<std::filesystem::path> inputs = options.known.inputs();
  inputs.insert(inputs.end(),
                {options.vae.path, options.init_noise, options.step_noise, options.text.input(),
                 options.frames.input(), data.path, models.trained->checkpoint()});
  if (models.guide) inputs.push_back(models.guide->checkpoint());
  return inputs;
}

// What a file of latents says of itself (docs/sampling.md).
nlohmann::ordered_json notes_of(const SampleOptions& options, const LoadedModels& models,
                                const TrainedData& data) {
  nlohmann::ordered_json notes = data.decoding(models.trained->model_config());
  notes.update(options.facts(*models.trained, models.guide.get()));
  const LatentShape& window = models.trained->model().latents();
  if (options.request.extension.is_on()) {
    const LatentShape whole = options.request.extension.whole(window);
    const auto pixels = notes["pixels_per_latent"].get<std::int64_t>();
    notes["image_size"] = whole.height * pixels;
    notes["image_width"] = whole.width * pixels;
  }
  options.known.add_facts(window, notes);
  options.text.add_facts(notes);
  if (!options.init_noise.empty()) notes["init_noise"] = options.init_noise.string();
  if (!options.step_noise.empty()) notes["step_noise"] = options.step_noise.string();
  return notes;
}

// The bar shows the batches of the first rank, which has as many as any other.
void make_pictures(PictureSampler& sampler, const PictureRequest& request, int steps,
                   CommandContext& context, bool silent, SampleOutput* output) {
  const auto total = static_cast<std::int64_t>(request.labels.size());
  const std::int64_t round = request.batch * context.world.size();
  const bool quiet = silent || context.quiet || !context.world.is_root();
  Progress progress({.label = "sample",
                     .unit = "steps",
                     .end = (total + round - 1) / round * steps * request.extension.windows(),
                     .style = progress_style(quiet)},
                    std::cerr);
  std::int64_t steps_done = 0, pictures = 0;
  const std::int64_t each = sampler.shape_of(request).elements();
  sample_over_ranks(
      sampler, request, context.world,
      [&](std::span<const float> latents) {
        output->add(latents);
        pictures += static_cast<std::int64_t>(latents.size()) / each;
      },
      [&] { progress.update(++steps_done, fmt::format("{} of {} pictures", pictures, total)); });
  if (output != nullptr) output->finish();
}

// Those of the data set that sampled sequences are plotted beside, as the model sees them.
void add_sequences_of_data(const SampleOptions& options, const TrainedModel& trained,
                           const TrainedData& data, SequenceContext& context) {
  const LatentShape& shape = trained.model_config().latents();
  if (options.out.page.empty() || !data.description) return;
  if (data.description->width != context.frames || shape.width != context.frames) return;
  const data::Dataset dataset(data.path, {.normalize = data.normalized,
                                          .normalize_eps = trained.config().data.normalize_eps});
  const auto first =
      std::span(context.labels).first(std::min(context.labels.size(), kPlottedSequences));
  const std::int64_t no_class = trained.model_config().classes();
  context.samples = options.frames.samples(dataset, first, no_class);
  if (context.samples.empty()) context.samples = samples_of_classes(dataset, first, no_class);
  std::vector<data::SampleRef> refs;
  for (const std::uint64_t sample : context.samples) refs.push_back({.index = sample});
  context.of_data.resize(refs.size() * static_cast<std::size_t>(shape.elements()));
  data::ReadScratch scratch;
  dataset.read(refs, options.request.seed, scratch, context.of_data);
  context.data = data.path.string();
}

std::unique_ptr<SampleOutput> sequence_output(const SampleOptions& options,
                                              const LoadedModels& models, const TrainedData& data) {
  const LatentShape shape =
      options.request.extension.whole(models.trained->model_config().latents());
  require<UsageError>(data.latents.has_value(), "sample",
                      "neither the checkpoint nor a data set says the units of the sequences: "
                      "--data names the set the model was trained on");
  SequenceContext context{
      .labels = options.request.labels,
      .channels = shape.channels,
      .frames = shape.width,
      .space = *data.latents,
      .conditions = options.request.frames,
      .of_data = {},
      .samples = {},
      .model = fmt::format("{} after step {}", models.trained->model_config().name(),
                           models.trained->step()),
      .data = {},
      .notes = notes_of(options, models, data)};
  add_sequences_of_data(options, *models.trained, data, context);
  return std::make_unique<SequenceOutput>(options.out, std::move(context));
}

// What can be told of the options alone.
void check_options(const SampleOptions& options, const OptionSet& set) {
  require<UsageError>(options.out.any(), "sample",
                      "nothing to write: give --out, --out-dir, --latents or --npz");
  require_grid_for_columns(set.given("columns"), options.out.grid);
  options.vae.require_file(set);
  options.known.check(set);
  require<UsageError>(options.images == 0 || !set.given("per-class"), "sample",
                      "--images {} and --per-class {} are both given, one is needed",
                      options.images, options.per_class);
}

// The models with their weights, once it is known that they fit.
LoadedModels load(SampleOptions& options, const OptionSet& set, Backend& backend,
                  Communicator& world) {
  const SampleSource run = options.open(options.checkpoint, set);
  if (options.out.pictures() && options.take_decoder_of(run.config.run) && world.is_root()) {
    log::info("{}, which decoded the run's sample grids, makes the pictures",
              options.vae.path.string());
  }
  check_outputs(options.out, set, run.model);
  options.text.open(TextSpace::of(run.config.model, run.checkpoint), run.model);
  options.resolve_labels(run.model);
  PictureRequest& request = options.request;
  request.extension = options.known.extension(run.model.latents());
  options.frames.check(set, run.model, request.extension.is_on());
  request.resample = options.known.resample;
  if (auto kept = options.known.kept(run.model.latents()); !kept.empty()) {
    request.known = KnownRegion{.mask = std::move(kept)};
  }
  options.known.require_possible(request, Process(run.model.common().process),
                                 !options.init_noise.empty()   ? "--init-noise"
                                 : !options.step_noise.empty() ? "--step-noise"
                                                               : "");
  request.batch = std::min(request.batch, static_cast<std::int64_t>(request.labels.size()));
  if (request.cache.is_on() && world.is_root()) {
    log::info("the cache takes {} for {} made together",
              human_bytes(static_cast<double>(dry_run_of_cache(options.planned(run)))),
              counted(static_cast<std::uint64_t>(request.batch), "picture"));
  }
  options.weights_type.require_possible(backend);
  options.require_memory(run, backend.memory(), world,
                         options.known.encoder_bytes(options.vae, run.model.latents()));
  if (run.guide && world.is_root()) {
    PlannedSampler alone = options.planned(run);
    const bool on_host = !backend.memory().free_on_device().has_value();
    const auto both = static_cast<double>(dry_run_of_sampler(alone, on_host));
    alone.guide.reset();
    log::info("guided by {}, step {}, of {}: sampling takes {}, {} without that guide",
              run.guide->model.name(), run.guide->checkpoint.info().step,
              run.guide->checkpoint.path().string(), human_bytes(both),
              human_bytes(static_cast<double>(dry_run_of_sampler(alone, on_host))));
  }
  return {options.load(run, backend), options.load_guide(run, backend, world)};
}

}  // namespace

int sample(std::span<const std::string> args, CommandContext& context) {
  SampleOptions options;
  OptionSet set("sample", "Makes pictures from a checkpoint.");
  options.declare(set);
  if (!read_options(set, args, context)) return kDone;
  PictureRequest& request = options.request;
  check_options(options, set);
  options.resolve(set);
  const auto backend = options.device.make_backend(context.world);
  const LoadedModels models = load(options, set, *backend, context.world);
  const auto& trained = models.trained;
  Model& model = trained->model();
  const auto solver = make_solver(model.process(), request.solver);
  read_noises(options, model, *solver);
  const auto total = static_cast<std::int64_t>(request.labels.size());
  const int columns = options.columns > 0       ? options.columns
                      : options.classes.empty() ? static_cast<int>(std::min<std::int64_t>(8, total))
                                                : static_cast<int>(options.per_class);
  const TrainedData data = find_trained_data(options.data, *trained);
  request.texts = options.text.requested(data, trained->model_config());
  request.texts.check_each(model, total);
  if (context.world.is_root()) {
    for (const std::string& remark : options.text.remarks()) log::warning("{}", remark);
  }
  require_none_read(options.out, inputs_of(options, models, data));
  if (request.known) {
    request.known->latents = options.known.known({*trained, data, options.vae, *backend, request});
  }
  request.frames = options.frames.read(trained->model_config(), data, request.labels);
  std::unique_ptr<SampleOutput> output;  // of the first rank
  const bool is_sequence = model.latents().is_sequence();
  bool false_colours = false;
  if (context.world.is_root() && is_sequence) {
    output = sequence_output(options, models, data);
  } else if (context.world.is_root()) {
    const auto decoder = options.decoder(*trained, data, *backend);
    false_colours = options.out.pictures() && decoder->is_false_colour();
    output = std::make_unique<PictureOutput>(options.out, decoder, request.labels,
                                             sample_shape(request.extension.whole(model.latents())),
                                             columns, notes_of(options, models, data));
    warn_of_what_is_missing(options, data, *decoder);
  }

  context.run_started = true;
  PictureSampler sampler(model, *backend, options.dtype,
                         models.guide ? &models.guide->model() : nullptr);
  const auto begin = Clock::now();
  make_pictures(sampler, request, solver->steps(), context, options.json, output.get());
  const double seconds = seconds_since(begin);
  std::optional<CacheReport> cache;
  if (context.world.is_root() && sampler.cache() != nullptr) {
    cache.emplace(*sampler.cache(), trained->model_config(), request.batch);
    if (const BranchCache* of_guide = sampler.guide_cache()) {
      cache->add(*of_guide, models.guide->model_config(), request.batch);
    }
  }
  const bool skips = request.narrow && trained->model_config().common().gates.is_on();
  if (options.json) {
    nlohmann::ordered_json json{{"pictures", total},
                                {"seconds", seconds},
                                {"pictures_per_s", total / seconds},
                                {"checkpoint_step", trained->step()},
                                {"weights", options.weights},
                                {"false_colours", false_colours}};
    if (cache) json["cache"] = cache->json();
    if (skips) json["computed_share"] = sampler.gated_share();
    context.print("{}\n", dump_json(json, 2));
  } else {
    if (cache) context.note("{}\n", cache->text());
    if (skips) {
      context.note("gates left {} of the products of blocks to compute\n",
                   human_percent(sampler.gated_share()));
    }
    context.note("{} in {} from step {}{}\n",
                 counted(static_cast<std::uint64_t>(total), is_sequence ? "sequence" : "picture"),
                 human_duration(seconds), trained->step(),
                 false_colours ? ", in false colours" : "");
  }
  return kDone;
}

}  // namespace edt
