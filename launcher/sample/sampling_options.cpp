#include "launcher/sample/sampling_options.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/log.h"
#include "data/decoder.h"
#include "launcher/memory/memory_check.h"
#include "launcher/recipe/latent_decoder.h"
#include "launcher/recipe/text_space.h"

namespace edt {
namespace {

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
void add_solver_facts(const SolverConfig& config, const Process& process, const Solver& solver,
                      nlohmann::ordered_json& notes) {
  const bool is_flow = process.schedule() == nullptr;
  if (is_flow) notes["time_shift"] = config.shift;
  const bool has_form = config.kind == SolverKind::kSdeEuler || config.kind == SolverKind::kSdeHeun;
  if (!solver.is_noisy() || !has_form) return;
  notes["diffusion"] = name_of(config.diffusion);
  notes["last_step"] = name_of(config.last_step);
  if (is_flow) notes["last_step_size"] = config.last_step_size;
}

void add_cache_facts(const CacheConfig& cache, nlohmann::ordered_json& notes) {
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

// Of the matrices of blocks, of which a sampler keeps what gates leave open.
std::size_t cut_bytes(const ModelConfig& model, DType dtype) {
  std::int64_t elements = 0;
  for (std::int64_t block = 0; block < model.blocks(); ++block) {
    const auto units = model.units_of(block);
    if (!units) continue;
    elements += model.site_after(block + 1, "block").width *
                (4 * units->heads * units->head_size + units->hidden_maps * units->hidden);
  }
  return static_cast<std::size_t>(elements) * size_of(dtype);
}

}  // namespace

void SamplingOptions::declare_source(OptionSet& options) {
  options.add("weights", &weights, "moving average or raw weights").choices({"ema", "raw"});
  weights_type.declare(options);
  options.add("data", &data, "data set whose decoder makes the pictures; default: as in training")
      .alias("data.path");
  vae.declare(
      options,
      "weights of the autoencoder that makes the pictures, instead of the data set's decoder; "
      "of the one whose latents these are, or a TAESD",
      true);
}

void SamplingOptions::declare_sampler(OptionSet& options) {
  declare_solver(options);
  declare_guidance(options);
  cache.declare(options);
  options.add("dynamic", &dynamic,
              {{"on", GatedSampling::kSkip},
               {"masked", GatedSampling::kMask},
               {"off", GatedSampling::kOff}},
              "of a network with gates (dynamic.target): leave out what they shut; compute it, and "
              "multiply it with 0; or open all");
  inference.declare(options);
  options.add("seed", &request.seed, "seed of the noise").at_least(0);
}

void SamplingOptions::declare_solver(OptionSet& options) {
  SolverConfig& solver = request.solver;
  const std::vector<std::string> with_noise{"sde-euler", "sde-heun"};
  Named<std::optional<SolverKind>> samplers{{"auto", std::nullopt}};
  for (const auto& [name, kind] : solver_kinds()) samplers.emplace_back(name, kind);
  options.add("sampler", &solver.kind, samplers, "how noise is removed")
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

void SamplingOptions::declare_guidance(OptionSet& options) {
  options.add("cfg-scale", &request.guidance.scale, "classifier-free guidance; 1: none")
      .at_least(0)
      .single_precision();
  options.add("guide", &guide,
              "a checkpoint or run whose predictions for the class stand for those without one "
              "(autoguidance): an early checkpoint, a short average, a smaller model");
  options.add(
      "guided-channels", &guided_channels,
      "latent channels that are guided, the first ones: a number, first-three, all, or auto: "
      "of 4 the first three, as published, of others all");
  options.add("guidance-interval", &guidance_interval,
              "low,high: times of steps that are guided, from 0, data, to 1, noise; in others the "
              "network sees the pictures once");
  options.add("power-cosine", &request.guidance.power_cosine, "guidance that grows (MDT)");
}

void SamplingOptions::resolve(const OptionSet& set) {
  require<UsageError>(spacing.empty() || !set.given("steps"), "sample",
                      "--steps {} and --spacing {} are both given, one is needed", steps, spacing);
  require<UsageError>(request.guidance.scale != 1 || !set.given("guidance-interval"), "sample",
                      "--guidance-interval is {}, and --cfg-scale 1 is no guidance",
                      fmt::join(guidance_interval, ","));
  require<UsageError>(request.guidance.scale != 1 || guide.empty(), "sample",
                      "--guide is {}, and --cfg-scale 1 is no guidance", guide.string());
  request.solver.spacing = spacing.empty() ? std::to_string(steps) : spacing;
  request.cache = cache.resolve();
  request.narrow = dynamic == GatedSampling::kSkip;
  GuidanceConfig& guidance = request.guidance;
  guidance.channels = GuidedChannels::parse(guided_channels);
  require<UsageError>(guidance_interval.size() == 2, "sample",
                      "--guidance-interval has {} values, two are needed: low,high",
                      guidance_interval.size());
  guidance.low = guidance_interval[0];
  guidance.high = guidance_interval[1];
  guidance.validate();
}

void SamplingOptions::apply_gates(const OptionSet& set, ModelConfig& model) const {
  GateConfig& gates = model.common().gates;
  require<UsageError>(gates.is_on() || !set.given("dynamic"), "sample",
                      "--dynamic is given, and {} has no gates: it was trained without "
                      "dynamic.target",
                      model.name());
  require<UsageError>(!gates.is_on() || dynamic != GatedSampling::kSkip || !weights_type.int8,
                      "sample",
                      "--weights-type is int8, and {} has gates, which cut weights at every step: "
                      "--dynamic masked or off",
                      model.name());
  if (dynamic == GatedSampling::kOff) gates = {};
}

SampleSource SamplingOptions::open(const std::filesystem::path& path, const OptionSet& set) const {
  TrainedWeights checkpoint = TrainedWeights::find(path);
  TrainConfig config = configuration_of(checkpoint);
  ModelConfig model = model_config_of(checkpoint, config);
  inference.apply(set, model);
  apply_gates(set, model);
  make_solver(Process(model.common().process), request.solver);  // or a reason why not
  (void)request.guidance.channels.of(model.latents().channels);
  SampleSource run{std::move(checkpoint), std::move(config), std::move(model), {}};
  if (!guide.empty()) run.guide = open_guide(run, set);
  return run;
}

GuideSource SamplingOptions::open_guide(const SampleSource& run, const OptionSet& set) const {
  TrainedWeights found = TrainedWeights::find(guide);
  ModelConfig model = model_config_of(found, configuration_of(found));
  const auto require_same = [&](std::string_view what, const std::string& of_guide,
                                const std::string& of_run) {
    require<UsageError>(of_guide == of_run, "sample", "--guide {} ({}): {} {}, {} ({}) has {}",
                        found.path().string(), model.name(), what, of_guide,
                        run.checkpoint.path().string(), run.model.name(), of_run);
  };
  const auto shape = [](const LatentShape& latents) {
    return fmt::format("{} x {} x {}", latents.channels, latents.height, latents.width);
  };
  require_same("the process is", text_of(model.common().process),
               text_of(run.model.common().process));
  require_same("latents are", shape(model.latents()), shape(run.model.latents()));
  require_same("the number of classes is", std::to_string(model.classes()),
               std::to_string(run.model.classes()));
  require_same("numbers of a frame's condition are", std::to_string(model.common().frame_channels),
               std::to_string(run.model.common().frame_channels));
  std::vector<std::string> remarks;
  if (const TextConfig& its = model.common().text; its.is_on()) {
    const TextConfig& text = run.model.common().text;
    const auto reads = [](const TextConfig& one) {
      return one.is_on() ? fmt::format("up to {} tokens with {} channels", one.tokens, one.channels)
                         : std::string("none");
    };
    require_same("texts are", reads(its), reads(text));
    const std::string option = "--guide " + guide.string();
    const TextSpace own = TextSpace::of(run.config.model, run.checkpoint);
    const TextSpace of_guide = TextSpace::of(configuration_of(found).model, found);
    own.require_same(of_guide, option);
    remarks = own.not_compared(of_guide, option);
  }
  const auto mine = LatentSpace::of(run.checkpoint.info()), others = LatentSpace::of(found.info());
  if (mine && others) mine->require_same(*others, found.path().string());
  if (model.family() == run.model.family()) inference.apply(set, model);
  if (dynamic == GatedSampling::kOff) model.common().gates = {};
  return {std::move(found), std::move(model), std::move(remarks)};
}

bool SamplingOptions::take_decoder_of(const RunOptions& run) {
  std::error_code code;
  const std::filesystem::path& path = run.sample_vae.path;
  if (!vae.path.empty() || !data.empty()) return false;
  if (path.empty() || !std::filesystem::exists(path, code)) return false;
  vae = run.sample_vae;
  return true;
}

PlannedSampler SamplingOptions::planned(const SampleSource& run) const {
  PlannedSampler sampler{.model = run.model,
                         .dtype = dtype,
                         .pictures = request.batch,
                         .guided = request.guidance.scale != 1,
                         .cache = request.cache,
                         .solver = request.solver.kind,
                         .int8 = weights_type.int8};
  if (run.guide) sampler.guide = run.guide->model;
  return sampler;
}

void SamplingOptions::require_memory(const SampleSource& run, const Memory& memory,
                                     Communicator& world, std::size_t more) const {
  if (!memory_check) return;
  PlannedSampler sampler = planned(run);
  if (!vae.path.empty()) {
    sampler.decoder_bytes = decoder_bytes(vae, request.extension.whole(run.model.latents()));
  }
  sampler.decoder_bytes += more;
  if (run.model.common().gates.is_on() && request.narrow) {
    sampler.decoder_bytes += cut_bytes(run.model, dtype);
  }
  require_free_memory(sampler, "--batch", memory, world);
}

std::unique_ptr<TrainedModel> SamplingOptions::load_model(const TrainedWeights& from,
                                                          const ModelConfig& model,
                                                          Backend& backend) const {
  auto loaded = std::make_unique<TrainedModel>(
      from, model, weights == "raw" ? kMasterArray : kEmaArray, backend, dtype);
  loaded->hold(weights_type.apply(backend, loaded->model()));
  return loaded;
}

std::unique_ptr<TrainedModel> SamplingOptions::load(const SampleSource& run,
                                                    Backend& backend) const {
  return load_model(run.checkpoint, run.model, backend);
}

std::unique_ptr<TrainedModel> SamplingOptions::load_guide(const SampleSource& run, Backend& backend,
                                                          Communicator& world) const {
  if (!run.guide) return nullptr;
  if (world.is_root()) {
    for (const std::string& remark : run.guide->remarks) log::warning("{}", remark);
  }
  return load_model(run.guide->checkpoint, run.guide->model, backend);
}

std::shared_ptr<const data::PictureDecoder> SamplingOptions::decoder(const TrainedModel& trained,
                                                                     const TrainedData& found,
                                                                     Backend& backend) const {
  const ModelConfig& model = trained.model_config();
  if (vae.path.empty()) return std::make_shared<data::Decoder>(found.decoder(model));
  return open_decoder(vae, backend, found.latents, model.latents(), trained.checkpoint().string());
}

std::string_view SamplingOptions::sampler_name(const Model& model) const {
  return name_of(request.solver.kind.value_or(default_solver(model.process().config())));
}

nlohmann::ordered_json SamplingOptions::facts(TrainedModel& trained,
                                              const TrainedModel* guided_by) const {
  const ModelConfig& model = trained.model_config();
  const Process& process = trained.model().process();
  const auto solver = make_solver(process, request.solver);
  GuidedChannels guided = request.guidance.channels;
  if (model.latents().is_sequence()) guided = guided.of_sequences();
  nlohmann::ordered_json facts{
      {"model", model.name()},
      {"checkpoint", std::filesystem::absolute(trained.checkpoint()).string()},
      {"step", trained.step()},
      {"weights", weights},
      {"process", name_of(process.config().kind)},
      {"sampler", sampler_name(trained.model())},
      {"timesteps", times_of(process, *solver)},
      {"eta", request.solver.eta},
      {"clip_denoised", request.solver.clip_denoised},
      {"cfg_scale", request.guidance.scale},
      {"guided_channels", guided.text(model.latents().channels)},
      {"guidance_interval", guidance_interval},
      {"power_cosine", request.guidance.power_cosine},
      {"dtype", name_of(dtype)},
      {"seed", request.seed}};
  weights_type.add_facts(facts);
  add_solver_facts(request.solver, process, *solver, facts);
  if (guided_by != nullptr) {
    facts["guide"] = std::filesystem::absolute(guided_by->checkpoint()).string();
    facts["guide_model"] = guided_by->model_config().name();
    facts["guide_step"] = guided_by->step();
  }
  add_cache_facts(request.cache, facts);
  if (model.common().gates.is_on()) facts["dynamic"] = request.narrow ? "on" : "masked";
  for (const auto& [name, value] : model.sampling_facts()) facts[name] = value;
  return facts;
}

}  // namespace edt
