// edt ckpt export and edt ckpt import: weights as files that other programs read and write.
#include <nlohmann/json.hpp>

#include "core/base/shell_text.h"
#include "core/json/json_text.h"
#include "core/options/options.h"
#include "core/reference/reference_backend.h"
#include "core/storage/durable_file.h"
#include "core/storage/new_directories.h"
#include "launcher/commands/table.h"
#include "launcher/recipe/pruned_weights.h"
#include "launcher/recipe/trained_model.h"
#include "launcher/run/run_directory.h"
#include "launcher/sample/weight_files.h"
#include "launcher/text/report.h"
#include "model/dit/diffusers_names.h"
#include "model/families/presets.h"

namespace edt {
namespace {

nlohmann::ordered_json to_json(const ExchangeReport& report, std::int64_t step) {
  return {{"path", report.path.string()}, {"step", step},           {"tensors", report.tensors},
          {"elements", report.elements},  {"bytes", report.bytes},  {"names", report.scheme},
          {"prefix", report.prefix},      {"types", report.types},  {"fresh", report.fresh},
          {"skipped", report.skipped},    {"halved", report.halved}};
}

void print(CommandContext& context, const ExchangeReport& report, std::int64_t step) {
  context.note("{}: {} tensors, {} values, {}, step {}\n", report.path.string(), report.tensors,
               report.elements, human_bytes(static_cast<double>(report.bytes)), step);
  if (report.scheme == "diffusers") context.note("names of diffusers' DiTTransformer2DModel\n");
  if (!report.prefix.empty()) context.note("all names begin with {}\n", report.prefix);
}

void print_import(CommandContext& context, const ExchangeReport& report) {
  print(context, report, 0);
  for (const auto& [type, tensors] : report.types) {
    if (type == "F32") continue;
    context.note("{} tensors are stored as {}: {}\n", tensors, type,
                 type == "F64" ? "rounded to float32 here"
                               : "float32 here, with the digits that the file has; position "
                                 "tables were compared to those");
  }
  if (!report.skipped.empty()) {
    context.note("not taken from the file: {}\n", fmt::join(report.skipped, ", "));
  }
  if (!report.halved.empty()) {
    context.note(
        "taken without the second half of each pixel's outputs, which were never trained: {}\n",
        fmt::join(report.halved, ", "));
  }
  if (!report.fresh.empty()) {
    context.note("drawn anew: {}\n", fmt::join(report.fresh, ", "));
  }
}

struct ExportOptions {
  std::filesystem::path checkpoint, out;
  WeightSource source = WeightSource::kEma;
  WeightNames names = WeightNames::kPublished;
  bool packed = false;
  bool json = false;

  void declare(OptionSet& options);
};

void ExportOptions::declare(OptionSet& options) {
  options.add("checkpoint", &checkpoint, "a checkpoint, or a run directory: its newest intact one")
      .alias("run.dir")
      .positional()
      .required();
  options.add("weights", &source, {{"ema", WeightSource::kEma}, {"raw", WeightSource::kMaster}},
              "moving average or raw weights");
  options.add("names", &names,
              {{"published", WeightNames::kPublished}, {"diffusers", WeightNames::kDiffusers}},
              "of the tensors: as the model was published, or as the diffusers library has them "
              "(DiT only)");
  options.add("packed", &packed,
              "ternary weights in two bits each, for edt sample; what is rounded cannot be trained "
              "on");
  options
      .add("out", &out,
           "safetensors file; with names of diffusers also a directory, which gets config.json too")
      .positional()
      .required();
  options.add("json", &json, "for scripts");
}

void print_packed(CommandContext& context, const PackedReport& report, std::int64_t step,
                  bool as_json) {
  if (as_json) {
    auto json = to_json(report.file, step);
    json["packed"] = report.packed;
    json["zeros"] = report.zeros;
    context.print("{}\n", dump_json(json, 2));
    return;
  }
  print(context, report.file, step);
  context.note("{} of them in 2 bits for each value, {:.1f} % of which are zeros\n", report.packed,
               100 * report.zeros);
}

}  // namespace

int ckpt_export(std::span<const std::string> args, CommandContext& context) {
  ExportOptions chosen;
  OptionSet options("ckpt export", "Writes weights as safetensors.");
  chosen.declare(options);
  if (!read_options(options, args, context)) return kDone;

  const bool as_directory =
      chosen.names == WeightNames::kDiffusers && chosen.out.extension() != ".safetensors";
  as_directory ? require_directory(chosen.out, "--out")
               : require_writable(chosen.out, "--out", ".safetensors");
  const Checkpoint checkpoint = find_checkpoint(chosen.checkpoint);
  refuse_masks(checkpoint, "checkpoint");
  const ModelConfig config = model_config_of(checkpoint, configuration_of(checkpoint));
  const auto backend = make_reference_backend();
  const auto model = make_model(config, *backend, DType::kFloat32);
  const std::int64_t step = checkpoint.info().step;
  if (chosen.packed) {
    require<UsageError>(chosen.names == WeightNames::kPublished, "ckpt export",
                        "--packed and --names diffusers are both given: packed weights have "
                        "published names");
    require_packable(checkpoint, *model);
    context.run_started = true;
    const PackedReport report = export_packed(checkpoint, chosen.source, *model, chosen.out);
    print_packed(context, report, step, chosen.json);
    return kDone;
  }
  const TensorNames names = names_for(chosen.names, config, *model);
  context.run_started = true;
  std::filesystem::path file = chosen.out;
  SafetensorsMetadata metadata;
  std::vector<FixedTensor> fixed = fixed_tensors(WeightNames::kPublished, *model);
  if (const auto* dit = config.as<DitConfig>(); chosen.names == WeightNames::kDiffusers) {
    fixed.clear();  // the library computes them, and expects none
    metadata["config"] = dump_json(diffusers_config(*dit));
    if (as_directory) {
      make_directories(chosen.out);
      file = chosen.out / "diffusion_pytorch_model.safetensors";
    }
  }
  const ExchangeReport report =
      export_safetensors(checkpoint, chosen.source, names, fixed, file, metadata);
  if (as_directory) {  // behind the weights: where they cannot be written an older pair stays one
    write_text_atomically(chosen.out / "config.json",
                          dump_json(diffusers_config(*config.as<DitConfig>()), 2) + "\n");
  }
  if (chosen.json) {
    context.print("{}\n", dump_json(to_json(report, step), 2));
  } else {
    print(context, report, step);
  }
  return kDone;
}

namespace {

struct ImportOptions {
  std::filesystem::path file, out;
  std::string prefix;
  std::vector<std::string> fresh;
  TrainConfig training;
  bool json = false;

  void declare(OptionSet& options);
  // The model that the file has weights of, with the classes of its label table.
  ModelConfig resolve(const std::filesystem::path& weights);
};

void ImportOptions::declare(OptionSet& options) {
  options.add("file", &file, "safetensors file, or a directory as diffusers saves a model")
      .positional()
      .required()
      .command_line_only();
  options.add("out", &out, "a new run directory").positional().required().command_line_only();
  options.add("prefix", &prefix, "what stands before the names that are taken, as in ema.module.")
      .default_is("what the file has")
      .command_line_only();
  options
      .add("fresh", &fresh,
           "parts not taken but drawn anew: label-table (for other classes), final-layer, "
           "patch-embedding, timestep-embedding, or names of tensors")
      .command_line_only();
  options.add("json", &json, "for scripts").command_line_only();
  training.declare(options);
  options.not_required("data.path");
  options.not_required("run.dir");
}

ModelConfig ImportOptions::resolve(const std::filesystem::path& weights) {
  ModelOptions& model = training.model;
  if (model_preset(model.preset).classes() == 0) return model.resolve(0);
  const auto rows = label_rows(weights);
  const bool fresh_labels = covers_label_table(fresh);
  require<UsageError>(model.classes || !fresh_labels, "import",
                      "--fresh label-table needs --model.classes, the number of classes to come");
  require<UsageError>(
      model.classes || rows, "import",
      "{} has no label table to tell the number of classes: --model.classes gives it",
      weights.string());
  require<UsageError>(
      fresh_labels || !rows || !model.classes || *model.classes == *rows - 1, "import",
      "--model.classes is {}, {} has {}: --fresh label-table draws a new label table",
      model.classes.value_or(0), weights.string(), rows.value_or(1) - 1);
  if (!model.classes) model.classes = *rows - 1;
  return model.resolve(*model.classes);
}

// What was given, for training to begin with: all else has its default there.
std::string configuration_of_import(const OptionSet& options, std::int64_t classes) {
  std::string text;
  for (const std::string& section : options.section_names()) {
    std::string body;
    const bool says = classes > 0 || options.given("model.classes");
    if (section == "model" && says) body = fmt::format("classes = {}\n", classes);
    for (const std::string& argument : options.given_arguments(section)) {
      const auto equals = argument.find('='), dot = argument.rfind('.', equals);
      const std::string key = argument.substr(dot + 1, equals - dot - 1);
      if (argument.starts_with("--run.dir=") || argument.starts_with("--model.classes=")) continue;
      body += fmt::format("{} = {}\n", key, ini_value(argument.substr(equals + 1)));
    }
    if (!body.empty()) text += fmt::format("[{}]\n{}", section, body);
  }
  return text;
}

// For the checkpoint's own record.
std::string origin_of(const std::filesystem::path& file, const ImportOptions& options) {
  return dump_json(
      nlohmann::json{{"imported",
                      {{"file", std::filesystem::absolute(file).lexically_normal().string()},
                       {"fresh", options.fresh}}}});
}

}  // namespace

int ckpt_import(std::span<const std::string> args, CommandContext& context) {
  ImportOptions chosen;
  OptionSet options("ckpt import",
                    "Makes a run of step 0 from weights as safetensors: edt train --run.dir goes "
                    "on with its model, with an optimizer that has seen nothing. Options of "
                    "training that are given go into the run's config.ini.");
  chosen.declare(options);
  if (!read_options(options, args, context)) return kDone;

  require_directory(chosen.out, "--out");
  std::error_code ignored;
  const bool is_new = !std::filesystem::exists(chosen.out, ignored) ||
                      std::filesystem::is_empty(chosen.out, ignored);
  require<UsageError>(
      is_new, "import", "--out {} is not empty{}: a new run directory is needed",
      chosen.out.string(),
      std::filesystem::exists(chosen.out / "config.ini", ignored) ? ", it holds a run" : "");
  const std::filesystem::path file = weight_file(chosen.file);
  const ModelConfig config = chosen.resolve(file);
  const auto backend = make_reference_backend();
  const auto model = make_model(config, *backend, DType::kFloat32);
  ImportRequest request = import_request(file, config, *model);
  if (options.given("prefix")) request.prefix = chosen.prefix;
  request.fresh = select_parts(chosen.fresh, *model);
  request.draw = [&](std::size_t tensor, std::span<float> values) {
    model->parameters().initialize(tensor, chosen.training.train.seed, values);
  };
  const std::string configuration = configuration_of_import(options, config.classes());
  const CheckpointInfo info{.seed = chosen.training.train.seed,
                            .model = model->name(),
                            .compute_dtype = std::string(name_of(DType::kFloat32)),
                            .configuration = configuration,
                            .mesh = "data 1 x tensor 1, zero 0",
                            .extra = origin_of(file, chosen)};
  NewDirectories made(chosen.out / "checkpoints");
  const ExchangeReport report =
      import_safetensors(file, request, info, CheckpointStore(chosen.out / "checkpoints"));
  const RunDirectory run(chosen.out, context.world);
  run.begin(configuration);
  made.keep();
  if (chosen.json) {
    context.print("{}\n", dump_json(to_json(report, 0), 2));
    return kDone;
  }
  print_import(context, report);
  context.note("to train on: edt train --run.dir {} --data DATA\n",
               shell_quoted(chosen.out.string()));
  return kDone;
}

}  // namespace edt
