// Weights as safetensors, out of a checkpoint and into a new one: under the published names, or
// under those that another program has for the same model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "parallel/checkpoint/checkpoint.h"
#include "parallel/checkpoint/tensor_names.h"

namespace edt {

// A tensor of the published files that is computed here, not trained: position embeddings, index
// tables. Written on export where it has values. On import it may be present; its values are then
// compared where both are floating point and values are known.
struct FixedTensor {
  std::string name;
  Shape shape;
  std::vector<float> values;  // empty: unknown, only skipped on import
};

enum class WeightSource { kEma, kMaster };

struct ExchangeReport {
  std::filesystem::path path;
  std::size_t tensors = 0;  // of the model
  std::int64_t elements = 0;
  std::uint64_t bytes = 0;
  // Of an import: how the file names the tensors, which of them were not taken from it, which of
  // the file were not taken, of which the first halves were (first_halves), and how the taken ones
  // are stored (type and number of tensors).
  std::string scheme, prefix;
  std::vector<std::string> fresh, skipped, halved;
  std::map<std::string, std::size_t> types;
};

// Writes the tensors of the checkpoint that the network computes with as F32, named as `names` says
// (one for each of them), and `fixed` beside them. The metadata names step, model and source;
// `metadata` is added.
ExchangeReport export_safetensors(const Checkpoint& checkpoint, WeightSource source,
                                  const TensorNames& names, std::span<const FixedTensor> fixed,
                                  const std::filesystem::path& file,
                                  const SafetensorsMetadata& metadata = {});

struct ImportRequest {
  std::vector<LogicalTensor> expected;  // the tensors of the model
  std::vector<FixedTensor> fixed;
  std::vector<TensorNames> schemes;   // how a file may name them
  std::optional<std::string> prefix;  // before all names; nothing: what the file has
  // Of each tensor: not taken from the file, which may have it in another shape. draw() fills it.
  std::vector<bool> fresh;
  std::function<void(std::size_t tensor, std::span<float>)> draw;
  // Tensors that a file may have with twice the rows: of every 2 n of them the first n are taken.
  // By name, n: outputs that a network was given and never trained to use.
  std::map<std::string, std::int64_t> first_halves;
};

// Writes a checkpoint of step 0 with the weights as master and moving average and no optimizer
// state. The file must hold exactly the expected tensors, of any floating-point type; it may hold
// `fixed` and integer tables besides, and with a given prefix whatever has another one. DataError
// names the first tensor that is missing, unknown, of another shape, holds values that are not
// finite, or of which copies differ. UsageError: the file has the tensors under several prefixes,
// or the store holds a checkpoint already.
ExchangeReport import_safetensors(const std::filesystem::path& file, const ImportRequest& request,
                                  const CheckpointInfo& info, const CheckpointStore& store);

}  // namespace edt
