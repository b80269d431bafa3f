// Weights as safetensors under the published names, out of a checkpoint and into a new one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "parallel/checkpoint/checkpoint.h"

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
  std::size_t tensors = 0;
  std::int64_t elements = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> skipped;  // tensors of an imported file that are no weights
};

// Writes all tensors of the checkpoint as F32. The metadata names step, model and source.
ExchangeReport export_safetensors(const Checkpoint& checkpoint, WeightSource source,
                                  std::span<const FixedTensor> fixed,
                                  const std::filesystem::path& file);

// Writes a checkpoint of step 0 with the weights as master and moving average and no optimizer
// state. The file must hold exactly `expected`; it may hold `fixed` and integer tables besides.
// DataError names the first tensor that is missing, unknown or of another shape, or holds values
// that are not finite. The store must hold no checkpoint yet.
ExchangeReport import_safetensors(const std::filesystem::path& file,
                                  std::span<const LogicalTensor> expected,
                                  std::span<const FixedTensor> fixed, const CheckpointInfo& info,
                                  const CheckpointStore& store);

}  // namespace edt
