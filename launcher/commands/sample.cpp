// edt sample: pictures from a checkpoint.
#include <fmt/ranges.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/json/json_text.h"
#include "core/options/options.h"
#include "launcher/autoencoder/vae_options.h"
#include "launcher/commands/step_options.h"
#include "launcher/commands/table.h"
#include "launcher/memory/memory_check.h"
#include "launcher/recipe/latent_decoder.h"
#include "launcher/sample/cache_report.h"
#include "launcher/sample/picture_output.h"
#include "launcher/sample/trained_data.h"
#include "launcher/text/progress.h"
#include "launcher/text/report.h"
#include "model/sampling/cache_options.h"
#include "model/sampling/sample_over_ranks.h"

namespace edt {
namespace {

constexpr std::int64_t kMostPictures = 1 << 24;

struct SampleOptions {
  std::filesystem::path checkpoint, data, init_noise, step_noise;
  std::string weights = "ema";
  std::vector<std::int32_t> classes;
  std::int64_t per_class = 1, images = 0;
  int columns = 0;
  PictureRequest request;
  int steps = 250;
  std::string spacing;
  std::string guided_channels = "auto";
  std::vector<double> guidance_interval{0, 1};
  CacheOptions cache;
  VaeOptions vae;
  InferenceOptions inference;
  DeviceOptions device;
  DType dtype = DType::kFloat32;
  bool memory_check = true;
  OutputPaths out;
  bool json = false;

  void declare(OptionSet& options);
  // What the request has of them beside its noise and labels. UsageError where they do not fit each
  // other.
  void resolve();
  void resolve_labels(std::int64_t model_classes);

 private:
  void declare_solver(OptionSet& options);
  void declare_guidance(OptionSet& options);
};

void SampleOptions::declare(OptionSet& options) {
  options.add("checkpoint", &checkpoint, "a checkpoint, or a run directory: its newest")
      .alias("run.dir")
      .positional()
      .required();
  options.add("weights", &weights, "moving average or raw weights").choices({"ema", "raw"});
  options.add("data", &data, "data set whose decoder makes the pictures; default: as in training")
      .alias("data.path");
  vae.declare(
      options,
      "weights of the autoencoder that makes the pictures, instead of the data set's decoder; "
      "of the one whose latents these are, or a TAESD",
      true);
  options.add("classes", &classes, "class of each row of pictures");
  options.add("per-class", &per_class, "pictures of each class").range(1, kMostPictures);
  options.add("images", &images, "instead of classes: this many pictures, classes in turn")
      .range(0, kMostPictures);
  options.add("columns", &columns, "pictures in a row of the grid; 0: chosen").range(0, 1000);
  declare_solver(options);
  declare_guidance(options);
  cache.declare(options);
  inference.declare(options);
  options.add("seed", &request.seed, "seed of the noise").at_least(0);
  options.add("init-noise", &init_noise, "HDF5 file, data set z [N, C, H, W], instead of the seed");
  options.add("step-noise", &step_noise,
              "HDF5 file, data set step_noise [steps, N, C, H, W], instead of the seed");
  options.add("batch", &request.batch, "pictures made together").range(1, 4096);
  device.declare(options, "");
  declare_dtype(options, dtype);
  declare_memory_check(options, memory_check);
  options.add("out", &out.grid, "PNG grid of all pictures");
  options.add("out-dir", &out.singles, "directory of single PNGs");
  options.add("replace", &out.replace, "remove the pictures of an earlier call from out-dir");
  options.add("latents", &out.latents,
              "HDF5 or .safetensors file of the latents, with all that decoding them needs");
  options.add("npz", &out.npz, "uint8 arr_0 [N, H, W, 3], for FID evaluators");
  options.add("json", &json, "for scripts");
}

void SampleOptions::declare_solver(OptionSet& options) {
  SolverConfig& solver = request.solver;
  const std::vector<std::string> with_noise{"sde-euler", "sde-heun"};
  Named<std::optional<SolverKind>> samplers{{"auto", std::nullopt}};
  for (const auto& [name, kind] : solver_kinds()) samplers.emplace_back(name, kind);
  options.add("sampler", &solver.kind, std::move(samplers), "how noise is removed")
      .default_is("ddpm, of a flow euler");
  options.add("steps", &steps, "sampler steps; heun and sde-heun ask the network twice in one")
      .range(1, 1000);
  options.add("clip-denoised", &solver.clip_denoised, "clip predicted latents to [-1, 1]")
      .used_when("sampler", {"auto", "ddpm", "ddim", "dpm++"});
  options
      .add("diffusion", &solver.diffusion, diffusion_forms(),
           "how much noise a step adds, from noise to data")
      .used_when("sampler", with_noise);
  options
      .add("last-step", &solver.last_step, last_steps(),
           "which adds no noise: the mean of a step, the predicted data, along the flow; none: as "
           "all others")
      .used_when("sampler", with_noise);
  {
    const OptionSet::Scope scope(options, std::string(name_of(ProcessKind::kDdpm)));
    options.add("spacing", &spacing, "timesteps visited, instead of steps: 10,15,20 or ddim25");
    options.add("eta", &solver.eta, "noise of DDIM").range(0, 1).used_when("sampler", {"ddim"});
  }
  const OptionSet::Scope scope(options, std::string(name_of(ProcessKind::kFlow)));
  options
      .add("shift", &solver.shift,
           "of the times: t becomes shift t / (1 + (shift - 1) t), above 1 nearer to noise")
      .above(0);
  options.add("last-step-size", &solver.last_step_size, "time that is left to the last step")
      .range(0, 1)
      .used_when("sampler", with_noise);
}

void SampleOptions::declare_guidance(OptionSet& options) {
  options.add("cfg-scale", &request.guidance.scale, "classifier-free guidance; 1: none")
      .at_least(0)
      .single_precision();
  options.add(
      "guided-channels", &guided_channels,
      "latent channels that are guided, the first ones: a number, first-three, all, or auto: "
      "of 4 the first three, as published, of others all");
  options.add("guidance-interval", &guidance_interval,
              "low,high: times of steps that are guided, from 0, data, to 1, noise; in others the "
              "network sees the pictures once");
  options.add("power-cosine", &request.guidance.power_cosine, "guidance that grows (MDT)");
}

void SampleOptions::resolve() {
  request.solver.spacing = spacing.empty() ? std::to_string(steps) : spacing;
  request.cache = cache.resolve();
  GuidanceConfig& guidance = request.guidance;
  guidance.channels = GuidedChannels::parse(guided_channels);
  require<UsageError>(guidance_interval.size() == 2, "sample",
                      "--guidance-interval has {} values, two are needed: low,high",
                      guidance_interval.size());
  guidance.low = guidance_interval[0];
  guidance.high = guidance_interval[1];
  guidance.validate();
}

void SampleOptions::resolve_labels(std::int64_t model_classes) {
  require<UsageError>(images == 0 || classes.empty(), "sample",
                      "--images {} and --classes are both given, one is needed", images);
  if (images > 0) {
    for (std::int64_t i = 0; i < images; ++i) {
      request.labels.push_back(static_cast<std::int32_t>(i % model_classes));
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
  require<UsageError>(std::filesystem::is_regular_file(path), "sample", "{}: there is no such file",
                      path.string());
  const h5::File file = h5::File::open(path);
  const h5::DataSet set = file.dataset(name);
  require<DataError>(set.shape() == expected, "sample", "{} is {}, {} is needed", set.label(),
                     h5::to_string(set.shape()), h5::to_string(expected));
  return set.read_all<float>(h5::Type::kFloat32);
}

h5::Shape latent_shape(const Model& model) {
  const LatentShape& latents = model.latents();
  return {static_cast<std::uint64_t>(latents.channels), static_cast<std::uint64_t>(latents.height),
          static_cast<std::uint64_t>(latents.width)};
}

std::string_view sampler_name(const SampleOptions& options, const Model& model) {
  return name_of(options.request.solver.kind.value_or(default_solver(model.process().config())));
}

void read_noises(SampleOptions& options, const Model& model, const Solver& solver) {
  h5::Shape pictures = latent_shape(model);
  pictures.insert(pictures.begin(), options.request.labels.size());
  options.request.init_noise = read_noise(options.init_noise, "z", pictures);
  if (options.step_noise.empty()) return;
  h5::Shape steps = pictures;
  require<UsageError>(solver.is_noisy(), "sample",
                      "--step-noise is {}, and the sampler, {}, adds none",
                      options.step_noise.string(), sampler_name(options, model));
  steps.insert(steps.begin(), static_cast<std::uint64_t>(solver.steps()));
  options.request.step_noise = read_noise(options.step_noise, "step_noise", steps);
}

// What makes the pictures: the autoencoder that was asked for, if it is the right one, or what the
// data set has.
std::shared_ptr<const data::PictureDecoder> find_decoder(const SampleOptions& options,
                                                         const TrainedModel& trained,
                                                         const TrainedData& data,
                                                         Backend& backend) {
  const ModelConfig& model = trained.model_config();
  if (options.vae.path.empty()) return std::make_shared<data::Decoder>(data.decoder(model));
  return open_decoder(options.vae, backend, data.latents, model.latents(),
                      trained.checkpoint().string());
}

void warn_of_what_is_missing(const SampleOptions& options, const TrainedData& data,
                             const data::PictureDecoder& decoder) {
  if (decoder.is_false_colour() && options.out.pictures()) {
    const std::string autoencoder = data.latents ? data.latents->autoencoder : std::string();
    log::warning("{}: pictures are {}{}",
                 data.description ? fmt::format("{} has no decoder", data.path.string())
                                  : fmt::format("no data set at {}", data.path.string()),
                 data::kFalseColours,
                 autoencoder.empty()
                     ? std::string("; --vae names an autoencoder")
                     : fmt::format("; --vae names the weights of {}, checksum {}", autoencoder,
                                   data.latents->autoencoder_checksum));
  }
  if (!options.out.latents.empty() && !data.latents) {
    log::warning(
        "neither the checkpoint nor a data set says the scale of the latents: {} will not "
        "either; --data names the set the model was trained on",
        options.out.latents.string());
  }
}

// The timesteps that were visited, from the last to be reached; of a flow, times.
nlohmann::ordered_json times_of(const Process& process, const Solver& solver) {
  auto all = nlohmann::ordered_json::array();
  std::vector<double> times = solver.times();
  std::ranges::reverse(times);
  for (const double t : times) {
    process.schedule() != nullptr ? all.push_back(process.step(t)) : all.push_back(t);
  }
  return all;
}

// What has an effect with some processes and samplers only.
void add_solver_notes(const SampleOptions& options, const Process& process, const Solver& solver,
                      nlohmann::ordered_json& notes) {
  const SolverConfig& config = options.request.solver;
  const bool is_flow = process.schedule() == nullptr;
  if (is_flow) notes["time_shift"] = config.shift;
  const bool has_form = config.kind == SolverKind::kSdeEuler || config.kind == SolverKind::kSdeHeun;
  if (!solver.is_noisy() || !has_form) return;
  notes["diffusion"] = name_of(config.diffusion);
  notes["last_step"] = name_of(config.last_step);
  if (is_flow) notes["last_step_size"] = config.last_step_size;
}

void add_cache_notes(const CacheConfig& cache, nlohmann::ordered_json& notes) {
  if (!cache.is_on()) return;
  const bool is_taylor = cache.kind == CacheKind::kTaylor;
  notes["cache"] = is_taylor ? "taylor" : "fora";
  notes["cache_interval"] = cache.interval;
  if (is_taylor) {
    notes["cache_order"] = cache.order;
    notes["cache_warmup"] = cache.warmup;
  }
  notes["cache_parts"] = cache.parts();
}

// What a file of latents says of itself (docs/sampling.md).
nlohmann::ordered_json notes_of(const SampleOptions& options, TrainedModel& trained,
                                const TrainedData& data, const Solver& solver) {
  const PictureRequest& request = options.request;
  const ModelConfig& model = trained.model_config();
  const Process& process = trained.model().process();
  nlohmann::ordered_json notes = data.decoding(model);
  notes.update({{"model", model.name()},
                {"checkpoint", std::filesystem::absolute(trained.checkpoint()).string()},
                {"step", trained.step()},
                {"weights", options.weights},
                {"process", name_of(process.config().kind)},
                {"sampler", sampler_name(options, trained.model())},
                {"timesteps", times_of(process, solver)},
                {"eta", request.solver.eta},
                {"clip_denoised", request.solver.clip_denoised},
                {"cfg_scale", request.guidance.scale},
                {"guided_channels", request.guidance.channels.text(model.latents().channels)},
                {"guidance_interval", options.guidance_interval},
                {"power_cosine", request.guidance.power_cosine},
                {"dtype", name_of(options.dtype)},
                {"seed", request.seed}});
  add_solver_notes(options, process, solver, notes);
  add_cache_notes(request.cache, notes);
  for (const auto& [name, value] : model.sampling_facts()) notes[name] = value;
  if (!options.init_noise.empty()) notes["init_noise"] = options.init_noise.string();
  if (!options.step_noise.empty()) notes["step_noise"] = options.step_noise.string();
  return notes;
}

// The bar shows the batches of the first rank, which has as many as any other.
void make_pictures(PictureSampler& sampler, const PictureRequest& request, int steps,
                   CommandContext& context, bool silent, std::optional<PictureOutput>& output) {
  const auto total = static_cast<std::int64_t>(request.labels.size());
  const std::int64_t round = request.batch * context.world.size();
  const bool quiet = silent || context.quiet || !context.world.is_root();
  Progress progress({.label = "sample",
                     .unit = "steps",
                     .end = (total + round - 1) / round * steps,
                     .style = progress_style(quiet)},
                    std::cerr);
  std::int64_t steps_done = 0, pictures = 0;
  sample_over_ranks(
      sampler, request, context.world,
      [&](std::span<const float> latents) {
        output->add(latents);
        pictures += static_cast<std::int64_t>(latents.size() / sampler.picture_elements());
      },
      [&] { progress.update(++steps_done, fmt::format("{} of {} pictures", pictures, total)); });
  if (output) output->finish();
}

// What can be told of the options alone.
void check_options(const SampleOptions& options, const OptionSet& set) {
  require<UsageError>(options.out.any(), "sample",
                      "nothing to write: give --out, --out-dir, --latents or --npz");
  options.vae.require_file(set);
  require<UsageError>(options.spacing.empty() || !set.given("steps"), "sample",
                      "--steps {} and --spacing {} are both given, one is needed", options.steps,
                      options.spacing);
  require<UsageError>(options.request.guidance.scale != 1 || !set.given("guidance-interval"),
                      "sample", "--guidance-interval is {}, and --cfg-scale 1 is no guidance",
                      fmt::join(options.guidance_interval, ","));
  require<UsageError>(options.images == 0 || !set.given("per-class"), "sample",
                      "--images {} and --per-class {} are both given, one is needed",
                      options.images, options.per_class);
}

// Where no autoencoder is named, that of the run's sample grids, if it is still there.
void take_decoder_of_run(SampleOptions& options, const RunOptions& run, bool says_so) {
  std::error_code code;
  const std::filesystem::path& path = run.sample_vae.path;
  if (!options.vae.path.empty() || !options.data.empty() || !options.out.pictures()) return;
  if (path.empty() || !std::filesystem::exists(path, code)) return;
  options.vae = run.sample_vae;
  if (says_so)
    log::info("{}, which decoded the run's sample grids, makes the pictures", path.string());
}

// The model with its weights, once it is known that it fits.
std::unique_ptr<TrainedModel> load(SampleOptions& options, const OptionSet& set, Backend& backend,
                                   Communicator& world) {
  const Checkpoint checkpoint = find_checkpoint(options.checkpoint);
  const TrainConfig run = configuration_of(checkpoint);
  ModelConfig config = model_config_of(checkpoint, run);
  take_decoder_of_run(options, run.run, world.is_root());
  options.inference.apply(set, config);
  PictureRequest& request = options.request;
  make_solver(Process(config.common().process), request.solver);  // or a reason why not
  (void)request.guidance.channels.of(config.latents().channels);
  options.resolve_labels(config.classes());
  request.batch = std::min(request.batch, static_cast<std::int64_t>(request.labels.size()));
  PlannedSampler sampler{.model = config,
                         .dtype = options.dtype,
                         .pictures = request.batch,
                         .guided = request.guidance.scale != 1,
                         .cache = request.cache,
                         .solver = request.solver.kind};
  if (sampler.cache.is_on() && world.is_root()) {
    log::info("the cache takes {} for {} made together",
              human_bytes(static_cast<double>(dry_run_of_cache(sampler))),
              counted(static_cast<std::uint64_t>(request.batch), "picture"));
  }
  if (options.memory_check) {
    if (!options.vae.path.empty()) {
      sampler.decoder_bytes = decoder_bytes(options.vae, config.latents());
    }
    require_free_memory(sampler, "--batch", backend.memory(), world);
  }
  return std::make_unique<TrainedModel>(checkpoint, config,
                                        options.weights == "raw" ? kMasterArray : kEmaArray,
                                        backend, options.dtype);
}

}  // namespace

int sample(std::span<const std::string> args, CommandContext& context) {
  SampleOptions options;
  OptionSet set("sample", "Makes pictures from a checkpoint.");
  options.declare(set);
  if (!read_options(set, args, context)) return kDone;
  PictureRequest& request = options.request;
  options.resolve();
  check_options(options, set);
  const auto backend = options.device.make_backend(context.world);
  const auto trained = load(options, set, *backend, context.world);
  Model& model = trained->model();
  const auto solver = make_solver(model.process(), request.solver);
  read_noises(options, model, *solver);
  const auto total = static_cast<std::int64_t>(request.labels.size());
  const int columns = options.columns > 0  ? options.columns
                      : options.images > 0 ? static_cast<int>(std::min<std::int64_t>(8, total))
                                           : static_cast<int>(options.per_class);
  const TrainedData data = find_trained_data(options.data, *trained);
  for (const auto& input : {options.vae.path, options.init_noise, options.step_noise,
                            trained->checkpoint(), data.path}) {
    require_not_read(options.out.latents, "--latents", input);
  }
  std::optional<PictureOutput> output;  // of the first rank
  bool false_colours = false;
  if (context.world.is_root()) {
    const auto decoder = find_decoder(options, *trained, data, *backend);
    false_colours = options.out.pictures() && decoder->is_false_colour();
    output.emplace(options.out, decoder, request.labels, latent_shape(model), columns,
                   notes_of(options, *trained, data, *solver));
    warn_of_what_is_missing(options, data, *decoder);
  }

  context.run_started = true;
  PictureSampler sampler(model, *backend, options.dtype);
  const auto begin = Clock::now();
  make_pictures(sampler, request, solver->steps(), context, options.json, output);
  const double seconds = seconds_since(begin);
  std::optional<CacheReport> cache;
  if (context.world.is_root() && sampler.cache() != nullptr) {
    cache.emplace(*sampler.cache(), trained->model_config(), request.batch);
  }
  if (options.json) {
    nlohmann::ordered_json json{{"pictures", total},
                                {"seconds", seconds},
                                {"pictures_per_s", total / seconds},
                                {"checkpoint_step", trained->step()},
                                {"weights", options.weights},
                                {"false_colours", false_colours}};
    if (cache) json["cache"] = cache->json();
    context.print("{}\n", dump_json(json, 2));
  } else {
    if (cache) context.note("{}\n", cache->text());
    context.note("{} in {} from step {}{}\n", counted(static_cast<std::uint64_t>(total), "picture"),
                 human_duration(seconds), trained->step(),
                 false_colours ? ", in false colours" : "");
  }
  return kDone;
}

}  // namespace edt
