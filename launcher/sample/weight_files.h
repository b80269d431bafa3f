// Between a model and files of its weights: names, tables, and parts that are not taken.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "model/families/model_config.h"
#include "parallel/checkpoint/exchange.h"

namespace edt {

// How a file names the tensors: as the models were published, or as the diffusers library does.
enum class WeightNames { kPublished, kDiffusers };

// The tensors of a model, in its order.
std::vector<LogicalTensor> tensors_of(const Model& model);

// UsageError where the names are those of a library that does not have the model.
TensorNames names_for(WeightNames names, const ModelConfig& config, const Model& model);

// What is in the files beside the weights.
std::vector<FixedTensor> fixed_tensors(WeightNames names, const Model& model);

// Which tensors belong to `parts`: "label-table", "final-layer", "patch-embedding",
// "timestep-embedding", or names of tensors or the beginnings of some, up to a dot. UsageError for
// parts that the model does not have.
std::vector<bool> select_parts(const std::vector<std::string>& parts, const Model& model);

bool covers_label_table(const std::vector<std::string>& parts);

// A published or a diffusers file, or a directory as diffusers saves a model, with its config.json,
// which must agree. UsageError where it is for another kind of model.
ImportRequest import_request(const std::filesystem::path& file, const ModelConfig& config,
                             const Model& model);
// The safetensors file that `path` is or has.
std::filesystem::path weight_file(const std::filesystem::path& path);

// Rows of the label table in a file, whatever its names and prefix; nothing: it has none.
std::optional<std::int64_t> label_rows(const std::filesystem::path& file);

}  // namespace edt
