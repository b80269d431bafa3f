// edt bench models: what finished models take, and what they are worth.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/options/options.h"
#include "launcher/commands/step_options.h"
#include "launcher/commands/table.h"
#include "launcher/machine/machine.h"
#include "launcher/quality/models.h"
#include "launcher/text/report.h"
#include "model/sampling/cache_options.h"

namespace edt {
namespace {

struct ModelsCommand {
  std::vector<std::filesystem::path> runs;
  std::filesystem::path data;
  std::vector<std::string> forms{"plain"};
  CacheOptions cache;
  WeightsTypeOptions weights_type;  // of the forms in int8
  MeasureOptions measure;
  DeviceOptions device;
  bool json = false;

  void declare(OptionSet& options);
  bool has(std::string_view form) const { return std::ranges::find(forms, form) != forms.end(); }
  // UsageError where they do not fit each other.
  std::vector<JudgedForm> resolve(const OptionSet& options) const;
};

void ModelsCommand::declare(OptionSet& options) {
  options
      .add("runs", &runs,
           "run directories, or checkpoints; RUN-seed-0, RUN-seed-1 ... are one model with several "
           "seeds")
      .positional_list()
      .required();
  options.add("data", &data, "data set that they were trained on").alias("data.path").required();
  options
      .add(
          "forms", &forms,
          "how each is sampled: as it is, with the blocks' weights in 8-bit integers, with a cache")
      .choices({"plain", "int8", "cached", "int8-cached"});
  cache.declare(options);
  options
      .add("int8-anywhere", &weights_type.anywhere,
           "also on a processor without instructions for such products, where they are slow")
      .used_when("forms", {"int8", "int8-cached"});
  MeasureOptions& m = measure;
  options.add("samples", &m.samples, "drawn of each, classes in turn").range(2, 1 << 24);
  options.add("sampler-steps", &m.steps, "of them").range(1, 1000);
  options.add("cfg-scale", &m.guidance, "classifier-free guidance of them; 1: none")
      .at_least(0)
      .single_precision();
  options.add("batch", &m.batch, "samples drawn together").alias("sampler-batch").range(1, 4096);
  options.add("draws", &m.draws, "noised samples at each of eight levels of noise")
      .range(1, 1 << 20);
  options.add("seed", &m.seed, "of all noise, the same for all").at_least(0);
  device.declare(options, "");
  declare_dtype(options, m.dtype);
  options.add("json", &json, "for scripts");
}

std::string cache_name(const CacheConfig& cache) {
  if (cache.kind == CacheKind::kFora) return fmt::format("fora {}", cache.interval);
  return fmt::format("taylor {}, order {}{}", cache.interval, cache.order,
                     cache.lite ? ", lite" : "");
}

std::vector<JudgedForm> ModelsCommand::resolve(const OptionSet& options) const {
  const CacheConfig config = cache.resolve();
  const bool is_asked = has("cached") || has("int8-cached");
  require<UsageError>(!is_asked || config.is_on(), "bench models",
                      "--forms names a cache, and --cache is none");
  require<UsageError>(is_asked || !options.given("cache"), "bench models",
                      "--cache is given, and --forms names none with a cache: cached, int8-cached");
  std::vector<JudgedForm> all;
  for (const std::string& form : forms) {
    require<UsageError>(std::ranges::count(forms, form) == 1, "bench models",
                        "--forms names {} twice", form);
    JudgedForm one{.name = form, .form = {}};
    if (form.starts_with("int8"))
      one.form.weights = {.int8 = true, .anywhere = weights_type.anywhere};
    if (form.ends_with("cached")) {
      one.form.cache = config;
      one.name = (form == "cached" ? "" : "int8, ") + cache_name(config);
    }
    all.push_back(std::move(one));
  }
  return all;
}

// What a file holds: in units of 1000 as published sizes are.
std::string megabytes(std::int64_t bytes) {
  return fmt::format("{:.3g} MB", static_cast<double>(bytes) / 1e6);
}

void print_text(CommandContext& context, const MeasureOptions& measure,
                const std::vector<JudgedModel>& judged) {
  context.print(
      "{}\n{} of each in {} steps, cfg-scale {}; medians over runs, with the least and the most\n",
      machine_text(probe_machine()), counted(static_cast<std::uint64_t>(measure.samples), "sample"),
      measure.steps, measure.guidance);
  Table table({"model", "sampled", "runs", "parameters", "weights", "GMAC/sample",
               "training images/s", "samples/s", "error of the noise", "distance of latents"});
  for (const JudgedModel& m : judged) {
    table.add({m.name, m.form, std::to_string(m.runs),
               human_count(static_cast<double>(m.parameters)), megabytes(m.weight_bytes),
               number_text(m.gmac), spread_text(m.training), spread_text(m.sampling),
               spread_text(m.held_out), spread_text(m.latent_distance)});
  }
  context.print("{}", table.text());
}

void print_json(CommandContext& context, const MeasureOptions& measure,
                const std::vector<JudgedModel>& judged) {
  nlohmann::ordered_json json{{"machine", machine_text(probe_machine())},
                              {"samples", measure.samples},
                              {"sampler_steps", measure.steps},
                              {"cfg_scale", measure.guidance},
                              {"models", nlohmann::ordered_json::array()}};
  for (const JudgedModel& m : judged) {
    json["models"].push_back({{"name", m.name},
                              {"form", m.form},
                              {"runs", m.runs},
                              {"parameters", m.parameters},
                              {"weight_bytes", m.weight_bytes},
                              {"gmac_per_sample", m.gmac},
                              {"training_images_per_s", spread_json(m.training)},
                              {"samples_per_s", spread_json(m.sampling)},
                              {"held_out_error", spread_json(m.held_out)},
                              {"latent_distance", spread_json(m.latent_distance)}});
  }
  context.print("{}\n", dump_json(json, 2));
}

}  // namespace

int bench_models(std::span<const std::string> args, CommandContext& context) {
  ModelsCommand command;
  OptionSet options(
      "bench models",
      "Finished runs side by side: bytes of the weights, products of a sample, images per second "
      "in training and sampling, the error of the noise on samples that were not trained on, and "
      "the Frechet distance of latents to the data. The ranks share the work.");
  command.declare(options);
  if (!read_options(options, args, context)) return kDone;
  const std::vector<JudgedForm> forms = command.resolve(options);
  const std::vector<FinishedModel> models = finished_models(command.runs);
  const auto backend = command.device.make_backend(context.world);
  for (const JudgedForm& form : forms) {
    form.form.weights.require_possible(*backend, "--forms has " + form.name);
  }
  context.run_started = true;
  const auto say = [&](const JudgedModel& m) {
    if (context.quiet || !context.world.is_root()) return;
    context.error << fmt::format("{}, {}: error of the noise {}, distance {}", m.name, m.form,
                                 spread_text(m.held_out), spread_text(m.latent_distance))
                  << std::endl;
  };
  const std::vector<JudgedModel> judged =
      judge_models(models, forms, command.data, command.measure, *backend, context.world, say);
  if (!context.world.is_root()) return kDone;
  command.json ? print_json(context, command.measure, judged)
               : print_text(context, command.measure, judged);
  return kDone;
}

}  // namespace edt
