// Weights with what is known of how they were trained: a checkpoint, or a file of packed weights.
#pragma once

#include <variant>

#include "launcher/recipe/packed_weights.h"
#include "parallel/checkpoint/checkpoint.h"

namespace edt {

class TrainedWeights {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): every checkpoint is some
  TrainedWeights(Checkpoint checkpoint) : source_(std::move(checkpoint)) {}
  explicit TrainedWeights(PackedWeights packed) : source_(std::move(packed)) {}
  // What a user names: a file of packed weights, or what find_checkpoint() takes.
  static TrainedWeights find(const std::filesystem::path& path);

  const std::filesystem::path& path() const;
  const CheckpointInfo& info() const;
  // Where it is a checkpoint; else nullptr.
  const Checkpoint* checkpoint() const { return std::get_if<Checkpoint>(&source_); }
  // Of the label table. CheckpointError or DataError where there is none.
  std::int64_t classes() const;
  // Those of the network, `array` of them, into `weights` [layout.size()]; UsageError where a file
  // holds the other array.
  void load(std::string_view array, const FlatLayout& layout, std::span<float> weights) const;

 private:
  std::variant<Checkpoint, PackedWeights> source_;
};

}  // namespace edt
