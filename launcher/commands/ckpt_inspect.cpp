// edt ckpt info and edt ckpt verify.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/options/options.h"
#include "launcher/commands/table.h"
#include "launcher/text/report.h"
#include "parallel/checkpoint/inspect.h"

namespace edt {
namespace {

using Json = nlohmann::ordered_json;

std::string bytes_text(std::uint64_t bytes) { return human_bytes(static_cast<double>(bytes)); }

std::int64_t weights_of(const Manifest& manifest) {
  std::int64_t elements = 0;
  for (const LogicalTensor& tensor : manifest.tensors) elements += tensor.shape.elements();
  return elements;
}

// Of each part that a method has added.
std::map<std::string, std::int64_t> weights_of_parts(const Manifest& manifest) {
  std::map<std::string, std::int64_t> parts;
  for (const LogicalTensor& tensor : manifest.tensors) {
    if (!tensor.part.name.empty()) parts[tensor.part.name] += tensor.shape.elements();
  }
  return parts;
}

Json dims_of(const Shape& shape) {
  Json dims = Json::array();
  for (int axis = 0; axis < shape.rank(); ++axis) dims.push_back(shape[axis]);
  return dims;
}

Json to_json(const CheckpointSummary& summary, bool with_fragments) {
  Json json{{"path", summary.path.string()}, {"step", summary.step}, {"problem", summary.problem}};
  if (!summary.manifest) return json;
  const Manifest& manifest = *summary.manifest;
  const CheckpointInfo& info = manifest.info;
  json["samples_seen"] = info.samples_seen;
  json["seed"] = info.seed;
  json["model"] = info.model;
  json["optimizer"] = info.optimizer;
  json["compute_dtype"] = info.compute_dtype;
  json["mesh"] = info.mesh;
  json["arrays"] = manifest.arrays;
  json["weights"] = weights_of(manifest);
  for (const auto& [part, weights] : weights_of_parts(manifest)) json["parts"][part] = weights;
  json["bytes"] = summary.bytes;
  json["files"] = Json::array();
  for (const StoredFile& file : manifest.files) {
    json["files"].push_back({{"name", file.name}, {"bytes", file.bytes}});
  }
  if (!with_fragments) return json;
  json["tensors"] = Json::array();
  for (const LogicalTensor& tensor : manifest.tensors) {
    json["tensors"].push_back({{"name", tensor.name}, {"shape", dims_of(tensor.shape)}});
  }
  json["pieces"] = Json::array();
  for (const StoredFragment& fragment : manifest.fragments) {
    const LogicalTensor& tensor = manifest.tensors[fragment.tensor];
    json["pieces"].push_back({{"tensor", tensor.name},
                              {"range", to_string(fragment.region, tensor.shape)},
                              {"file", manifest.files[fragment.file].name}});
  }
  return json;
}

void print(CommandContext& context, const CheckpointSummary& summary) {
  context.print("{}\n", summary.path.string());
  if (summary.manifest) {
    const CheckpointInfo& info = summary.manifest->info;
    context.print("  step {}, {} samples seen, seed {}\n", info.step, info.samples_seen, info.seed);
    context.print("  model {}, {} weights in {} tensors, computed in {}\n", info.model,
                  weights_of(*summary.manifest), summary.manifest->tensors.size(),
                  info.compute_dtype);
    for (const auto& [part, weights] : weights_of_parts(*summary.manifest)) {
      context.print("  {} of them in {}, which a method has added\n", weights, part);
    }
    context.print("  holds {}; written by {}\n", fmt::join(summary.manifest->arrays, ", "),
                  info.mesh);
    context.print("  {} in {} file{}, {} fragments\n", bytes_text(summary.bytes),
                  summary.manifest->files.size(), summary.manifest->files.size() == 1 ? "" : "s",
                  summary.manifest->fragments.size());
  }
  if (!summary.problem.empty()) context.print("  PROBLEM: {}\n", summary.problem);
}

void print_fragments(CommandContext& context, const Manifest& manifest) {
  Table table({"tensor", "shape", "range", "file"});
  for (const StoredFragment& fragment : manifest.fragments) {
    const LogicalTensor& tensor = manifest.tensors[fragment.tensor];
    table.add({tensor.name, to_string(tensor.shape), to_string(fragment.region, tensor.shape),
               manifest.files[fragment.file].name});
  }
  context.print("{}", table.text());
}

}  // namespace

int ckpt_info(std::span<const std::string> args, CommandContext& context) {
  std::filesystem::path path;
  bool fragments = false, as_json = false;
  OptionSet options("ckpt info", "Says what the checkpoints of a run hold, the newest first.");
  options.add("checkpoint", &path, "a checkpoint, or a run directory: all of them")
      .alias("run.dir")
      .positional()
      .required();
  options.add("fragments", &fragments, "list where each fragment of each tensor lies");
  options.add("json", &as_json, "for scripts");
  if (!read_options(options, args, context)) return kDone;

  const auto found = inspect_checkpoints(path, Depth::kManifest);
  if (as_json) {
    Json json = Json::array();
    for (const CheckpointSummary& summary : found) json.push_back(to_json(summary, fragments));
    context.print("{}\n", dump_json(json, 2));
    return kDone;
  }
  for (const CheckpointSummary& summary : found) {
    print(context, summary);
    if (fragments && summary.manifest) print_fragments(context, *summary.manifest);
  }
  return kDone;
}

int ckpt_verify(std::span<const std::string> args, CommandContext& context) {
  std::filesystem::path path;
  bool as_json = false;
  OptionSet options("ckpt verify",
                    "Reads every byte of the checkpoints and compares with their checksums. Status "
                    "1 when something is damaged.");
  options.add("checkpoint", &path, "a checkpoint, or a run directory: all of them")
      .alias("run.dir")
      .positional()
      .required();
  options.add("json", &as_json, "for scripts");
  if (!read_options(options, args, context)) return kDone;

  const auto found = inspect_checkpoints(path, Depth::kFragments);
  Json json = Json::array();
  for (const CheckpointSummary& summary : found) {
    json.push_back(to_json(summary, false));
    if (as_json) continue;
    context.print(
        "{}: {}\n", summary.path.string(),
        summary.problem.empty() ? "intact, " + bytes_text(summary.bytes) : summary.problem);
  }
  if (as_json) context.print("{}\n", dump_json(json, 2));
  const bool intact =
      std::all_of(found.begin(), found.end(), [](const auto& s) { return s.problem.empty(); });
  return intact ? kDone : kFailed;
}

}  // namespace edt
