// A file of ternary weights in two bits each, with all that sampling needs: a safetensors file
// whose metadata hold the configuration. Made of a checkpoint, for sampling alone: what is rounded
// cannot be trained on.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "core/storage/safetensors.h"
#include "model/model.h"
#include "parallel/checkpoint/exchange.h"
#include "parallel/sharding/flat_layout.h"

namespace edt {

struct PackedReport {
  ExchangeReport file;
  std::size_t packed = 0;  // matrices
  double zeros = 0;        // share of their elements
};

// UsageError unless weights of `model`, that of `checkpoint`, are ternary, and the rows of each a
// multiple of 4.
void require_packable(const Checkpoint& checkpoint, const Model& model);

// The network of `checkpoint` as `model` has it: ternary weights as U8 [rows / 4, columns]
// (core/storage/packed_digits.h), all others as F32.
PackedReport export_packed(const Checkpoint& checkpoint, WeightSource source, const Model& model,
                           const std::filesystem::path& file);

class PackedWeights {
 public:
  // A file, and one of safetensors.
  static bool is_file(const std::filesystem::path& path);
  // DataError where the file is not one of export_packed().
  explicit PackedWeights(const std::filesystem::path& file);

  const std::filesystem::path& path() const { return reader_->path(); }
  const CheckpointInfo& info() const { return info_; }
  // kEmaArray or kMasterArray.
  std::string_view array() const { return array_; }
  std::int64_t classes() const;

  // Fills `weights` [layout.size()]; of a packed one they are -1, 0 and 1, which round to
  // themselves. DataError naming the first tensor that is missing, spare or of another shape.
  void load(const FlatLayout& layout, std::span<float> weights) const;

 private:
  void load_tensor(const FlatTensor& tensor, std::span<float> values) const;

  std::shared_ptr<const SafetensorsReader> reader_;
  CheckpointInfo info_;
  std::string array_;
};

}  // namespace edt
