// edt ckpt export and edt ckpt import: weights under the published names.
#include <nlohmann/json.hpp>

#include "core/reference/reference_backend.h"
#include "core/storage/durable_file.h"
#include "core/storage/safetensors.h"
#include "launcher/commands/table.h"
#include "launcher/options/options.h"
#include "launcher/sample/trained_model.h"
#include "launcher/text/report.h"
#include "parallel/checkpoint/exchange.h"

namespace edt {
namespace {

std::vector<FixedTensor> fixed_tensors(const Model& model) {
  std::vector<FixedTensor> fixed;
  for (const FixedTable& table : model.fixed_tables()) {
    fixed.push_back({table.name, table.shape, table.values});
  }
  return fixed;
}

void print(CommandContext& context, const ExchangeReport& report, std::int64_t step, bool as_json) {
  if (as_json) {
    context.print("{}\n", nlohmann::ordered_json{{"path", report.path.string()},
                                                 {"step", step},
                                                 {"tensors", report.tensors},
                                                 {"elements", report.elements},
                                                 {"bytes", report.bytes},
                                                 {"skipped", report.skipped}}
                              .dump(2));
    return;
  }
  context.print("{}: {} tensors, {} values, {}, step {}\n", report.path.string(), report.tensors,
                report.elements, human_bytes(static_cast<double>(report.bytes)), step);
  if (!report.skipped.empty()) {
    context.print("computed here, so not taken: {}\n", fmt::join(report.skipped, ", "));
  }
}

// Classes of the weights in a file, for models whose --model.classes is not given.
std::int64_t classes_in(const std::filesystem::path& file) {
  const SafetensorsReader reader(file);
  const auto& table = reader.entry("y_embedder.embedding_table.weight");
  require<DataError>(table.shape.size() == 2 && table.shape[0] >= 2, "safetensors",
                     "{}: {} has shape [{}], must be [classes + 1, width]", file.string(),
                     table.name, fmt::join(table.shape, ", "));
  return static_cast<std::int64_t>(table.shape[0]) - 1;
}

}  // namespace

int ckpt_export(std::span<const std::string> args, CommandContext& context) {
  std::filesystem::path path, out;
  WeightSource source = WeightSource::kEma;
  bool as_json = false;
  OptionSet options("ckpt export", "Writes weights as safetensors, with the published names.");
  options.add("checkpoint", &path, "a checkpoint, or a run directory: its newest intact one")
      .alias("run.dir")
      .positional()
      .required();
  options.add("weights", &source, {{"ema", WeightSource::kEma}, {"raw", WeightSource::kMaster}},
              "moving average or raw weights");
  options.add("out", &out, "safetensors file").positional().required();
  options.add("json", &as_json, "for scripts");
  if (!read_options(options, args, context)) return kDone;

  require_writable(out, "--out");
  const Checkpoint checkpoint = find_checkpoint(path);
  const auto backend = make_reference_backend();
  const auto model = make_model(model_config_of(checkpoint, configuration_of(checkpoint)), *backend,
                                DType::kFloat32);
  context.run_started = true;
  print(context, export_safetensors(checkpoint, source, fixed_tensors(*model), out),
        checkpoint.info().step, as_json);
  return kDone;
}

int ckpt_import(std::span<const std::string> args, CommandContext& context) {
  std::filesystem::path file, out;
  ModelOptions model_options;
  bool as_json = false;
  OptionSet options("ckpt import",
                    "Makes a checkpoint of step 0 from safetensors with the published names.");
  options.add("file", &file, "safetensors file").positional().required().command_line_only();
  options.add("out", &out, "directory for the checkpoint, a new run directory for instance")
      .positional()
      .required()
      .command_line_only();
  options.add("json", &as_json, "for scripts").command_line_only();
  model_options.declare(options);
  if (!read_options(options, args, context)) return kDone;

  require_directory(out, "--out");
  const auto backend = make_reference_backend();
  const auto model = make_model(model_options.resolve(classes_in(file)), *backend, DType::kFloat32);
  std::vector<LogicalTensor> expected;
  for (const Parameter& parameter : model->parameters().all()) {
    expected.push_back({parameter.name, parameter.shape});
  }
  const CheckpointInfo info{.model = model->name(),
                            .compute_dtype = std::string(name_of(DType::kFloat32)),
                            .configuration = options.to_ini(),
                            .mesh = "data 1 x tensor 1, zero 0"};
  const CheckpointStore store(out / "checkpoints");
  print(context, import_safetensors(file, expected, fixed_tensors(*model), info, store), 0,
        as_json);
  return kDone;
}

}  // namespace edt
