#include "launcher/sample/weight_files.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/storage/durable_file.h"
#include "core/storage/file_kind.h"
#include "core/storage/missing_path.h"
#include "model/dit/diffusers_names.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDiffusersFile = "diffusion_pytorch_model.safetensors";
constexpr std::string_view kLabelTable = "y_embedder.embedding_table.weight";
constexpr std::string_view kLabelTableOfBlock =
    "transformer_blocks.0.norm1.emb.class_embedder.embedding_table.weight";

struct Part {
  std::string_view name, beginning;
};
constexpr Part kParts[] = {{"label-table", "y_embedder."},
                           {"final-layer", "final_layer."},
                           {"patch-embedding", "x_embedder."},
                           {"timestep-embedding", "t_embedder."}};

std::string beginning_of(const std::string& part) {
  for (const Part& known : kParts) {
    if (known.name == part) return std::string(known.beginning);
  }
  return part.ends_with('.') ? part : part + '.';
}

bool has_diffusers_names(const SafetensorsReader& reader) {
  return std::ranges::any_of(reader.entries(), [](const SafetensorsEntry& entry) {
    return entry.name.ends_with(kLabelTableOfBlock);
  });
}

// The model where that library has it.
const DitConfig* diffusers_dit(const ModelConfig& config) {
  const auto* dit = config.as<DitConfig>();
  const bool is_published = dit != nullptr && dit->process == ProcessConfig{} &&
                            dit->style == BlockStyle{} && dit->weights == WeightStyle{} &&
                            dit->modulation == ModulationForm::kFull && dit->kept.empty() &&
                            !dit->gates.is_on();
  return is_published ? dit : nullptr;
}

}  // namespace

std::vector<LogicalTensor> tensors_of(const Model& model) {
  std::vector<LogicalTensor> tensors;
  for (const Parameter& parameter : model.parameters().all()) {
    tensors.push_back({parameter.name, parameter.shape});
  }
  return tensors;
}

TensorNames names_for(WeightNames names, const ModelConfig& config, const Model& model) {
  const auto tensors = tensors_of(model);
  if (names == WeightNames::kPublished) return published_names(tensors);
  const DitConfig* dit = diffusers_dit(config);
  require<UsageError>(dit != nullptr, "weights",
                      "names of diffusers are those of its DiT (DiTTransformer2DModel), which has "
                      "dense weights, a modulation for each block, and predicts noise and "
                      "variance; the model is {}{}",
                      config.name(), config.as<DitConfig>() != nullptr ? " and does not" : "");
  return diffusers_names(*dit, tensors);
}

std::vector<FixedTensor> fixed_tensors(WeightNames names, const Model& model) {
  std::vector<FixedTensor> fixed;
  for (const FixedTable& table : model.fixed_tables()) {
    const bool is_renamed = names == WeightNames::kDiffusers;
    fixed.push_back({is_renamed ? "pos_embed.pos_embed" : table.name, table.shape, table.values});
  }
  return fixed;
}

std::vector<bool> select_parts(const std::vector<std::string>& parts, const Model& model) {
  const auto& parameters = model.parameters().all();
  std::vector<bool> selected(parameters.size(), false);
  for (const std::string& part : parts) {
    const std::string beginning = beginning_of(part);
    bool found = false;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (parameters[i].name != part && !parameters[i].name.starts_with(beginning)) continue;
      selected[i] = found = true;
    }
    std::vector<std::string_view> known;
    for (const Part& one : kParts) known.push_back(one.name);
    require<UsageError>(found, "weights",
                        "--fresh {}: {} has no such part; there are {}, and names of tensors", part,
                        model.name(), fmt::join(known, ", "));
  }
  return selected;
}

bool covers_label_table(const std::vector<std::string>& parts) {
  return std::ranges::any_of(parts, [](const std::string& part) {
    return kLabelTable == part || kLabelTable.starts_with(beginning_of(part));
  });
}

fs::path weight_file(const fs::path& path) {
  std::error_code code;
  fs::path file = path;
  if (fs::is_directory(path, code)) {
    file = path / kDiffusersFile;
    const fs::path index = file.string() + ".index.json";
    if (!fs::exists(file, code) && fs::exists(index, code)) file = index;
    const fs::path below = path / "transformer";  // of a whole pipeline
    require<DataError>(fs::exists(file, code), "weights", "{} is a directory and has no {}{}",
                       path.string(), kDiffusersFile,
                       fs::is_directory(below, code) ? ": is " + below.string() + " meant?" : "");
  }
  require<DataError>(fs::exists(file, code), "weights", "{}: there is no such file{}",
                     file.string(), missing_weights_hint(file));
  const FileKind kind = kind_of_file(file);
  require<DataError>(kind == FileKind::kSafetensors, "weights", "{}: is {}, safetensors are read{}",
                     file.string(), described(kind), way_to_safetensors(kind, file));
  return file;
}

ImportRequest import_request(const fs::path& file, const ModelConfig& config, const Model& model) {
  ImportRequest request{.expected = tensors_of(model),
                        .fixed = fixed_tensors(WeightNames::kPublished, model),
                        .schemes = {names_for(WeightNames::kPublished, config, model)},
                        .prefix = {},
                        .fresh = std::vector<bool>(model.parameters().all().size(), false),
                        .draw = {},
                        .first_halves = {}};
  if (!config.common().process.learns_variance()) {
    for (const char* name : {"final_layer.linear.weight", "final_layer.linear.bias"}) {
      request.first_halves[name] = config.latents().channels;
    }
  }
  const DitConfig* dit = diffusers_dit(config);
  require<UsageError>(dit != nullptr || !has_diffusers_names(SafetensorsReader(file)), "weights",
                      "{} has the names of diffusers' DiT, the model is {}: --model names a DiT",
                      file.string(), config.name());
  if (dit == nullptr) return request;
  request.schemes.push_back(names_for(WeightNames::kDiffusers, config, model));
  for (FixedTensor& table : fixed_tensors(WeightNames::kDiffusers, model)) {
    request.fixed.push_back(std::move(table));
  }
  const fs::path json = file.parent_path() / "config.json";
  if (file.filename() != kDiffusersFile || !fs::exists(json)) return request;
  const auto parsed = try_parse_json(read_text(json));
  require<DataError>(parsed.is_object(), "weights", "{}: not a JSON object", json.string());
  check_diffusers_config(*dit, parsed, json.string());
  return request;
}

std::optional<std::int64_t> label_rows(const fs::path& file) {
  const SafetensorsReader reader(file);
  for (const SafetensorsEntry& entry : reader.entries()) {
    if (!entry.name.ends_with(kLabelTable) && !entry.name.ends_with(kLabelTableOfBlock)) continue;
    require<DataError>(entry.shape.size() == 2 && entry.shape[0] >= 2, "weights",
                       "{}: {} has shape [{}], must be [classes + 1, width]", file.string(),
                       entry.name, fmt::join(entry.shape, ", "));
    return static_cast<std::int64_t>(entry.shape[0]);
  }
  return std::nullopt;
}

}  // namespace edt
