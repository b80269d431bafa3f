// What a checkpoint holds, as plain data: neither trainer nor model types are known here.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/tensor/shape.h"
#include "parallel/checkpoint/region.h"
#include "parallel/sharding/flat_layout.h"
#include "parallel/tensor/tensor_shard.h"

namespace edt {

// Names of arrays that every checkpoint knows; optimizer state is "<optimizer>.<state>".
inline constexpr std::string_view kMasterArray = "master";
inline constexpr std::string_view kEmaArray = "ema";
// Before the length of a power-function average: "average.0.05".
inline constexpr std::string_view kAveragePrefix = "average.";

// A named set of tensors that a method has added to a network, which itself is "".
struct TensorPart {
  std::string name;
  bool training_only = false;  // the network computes without it

  bool operator==(const TensorPart&) const = default;
};

// A tensor of the model as published, however it is sharded.
struct LogicalTensor {
  std::string name;
  Shape shape;
  TensorPart part = {};

  bool operator==(const LogicalTensor&) const = default;
};

// A part of a logical tensor that this rank holds at `offset` of its arrays.
struct StateFragment {
  std::size_t tensor = 0;
  Region region;
  std::int64_t offset = 0;
  bool written = true;  // false: a copy, which another rank writes
};

// One float32 value per element of the shard: weights, moving average, a state of the optimizer.
struct StateArray {
  std::string name;
  std::span<float> values;
  bool half = false;  // rounded to float16 in the file
};

// The state of this rank. Arrays all have the same fragments.
struct CheckpointState {
  std::vector<LogicalTensor> tensors;  // the same on every rank
  std::vector<StateFragment> fragments;
  std::vector<StateArray> arrays;  // the same names on every rank
};

// A small array that is the same on every rank, such as the history of a sampler.
struct ExtraArray {
  using Values = std::variant<std::vector<float>, std::vector<double>, std::vector<std::int32_t>,
                              std::vector<std::int64_t>>;
  std::string name;
  Values values;

  bool operator==(const ExtraArray&) const = default;
};

struct CheckpointInfo {
  std::int64_t step = 0;
  std::int64_t samples_seen = 0;
  std::uint64_t seed = 0;
  std::string model;          // e.g. "EDT-S/2"
  std::string optimizer;      // empty: none, as in imported weights
  std::string compute_dtype;  // of the kernels; the state itself is float32
  std::string configuration;  // the effective configuration, as text
  std::string mesh;           // as text, e.g. "data 4 x tensor 2, zero 1"
  std::string extra = "{}";   // a JSON object of the caller's own
  // Of training, when it was saved: lower is better. Nothing: none was taken.
  std::optional<double> smoothed_loss{};
  // What its weights were judged by, by name, where they were: lower is better.
  std::map<std::string, double> judged{};

  bool operator==(const CheckpointInfo&) const = default;
};

// Tensors and fragments of a flat layout whose tensors are whole (no tensor parallelism).
CheckpointState state_of(const FlatLayout& layout, const FlatShard& shard,
                         std::vector<StateArray> arrays);

// The same for a layout of local tensors, cut as `cuts` says (one for each tensor of the layout),
// which belong to `parts` (one for each, or none: all are the network's).
// Tensors that every tensor rank holds are written by the first. The arrays may be larger than the
// shard, whose parts say where they lie in them.
CheckpointState state_of(const FlatLayout& layout, std::span<const TensorShard> cuts,
                         const FlatShard& shard, std::vector<StateArray> arrays,
                         std::span<const TensorPart> parts = {});

}  // namespace edt
