// How a parameter is cut over the ranks of a tensor group, and which elements one rank holds.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/optim/grad_norm.h"
#include "core/tensor/shape.h"
#include "parallel/sharding/flat_layout.h"

namespace edt {

// Rows: the tensor consists of `chunks` equal runs of rows (a qkv weight of three: queries, keys
// and values), each cut into as many equal parts as there are ranks. Columns: the last axis is cut.
struct TensorCut {
  enum class Axis { kNone, kRows, kColumns };
  Axis axis = Axis::kNone;
  int chunks = 1;

  static TensorCut rows(int chunks = 1) { return {Axis::kRows, chunks}; }
  static TensorCut columns() { return {Axis::kColumns, 1}; }
  bool operator==(const TensorCut&) const = default;
};

struct TensorShard {
  Shape logical;  // as published
  TensorCut cut;
  int rank = 0, ranks = 1;

  // Every rank holds all of it.
  bool whole() const { return ranks == 1 || cut.axis == TensorCut::Axis::kNone; }
  // Of copies one counts: in sums over the whole model and in checkpoints.
  bool counted_here() const { return !whole() || rank == 0; }
  // Whether the ranks can have equal parts.
  bool fits() const;
  Shape local() const;

  // The local tensor is the rows of these boxes of the logical one, one box after the other.
  struct Box {
    Shape origin, extent;
  };
  std::vector<Box> boxes() const;

  // Copies this rank's elements out of the logical tensor, and back to their places in it.
  void take(std::span<const float> logical_values, std::span<float> local_values) const;
  void put(std::span<const float> local_values, std::span<float> logical_values) const;
};

// Where the packed buffer of `shard` holds tensors that the first tensor rank counts: what this
// rank leaves out of sums over the whole model, such as the gradient norm.
std::vector<ElementRange> copies_in(const FlatLayout& layout, std::span<const TensorShard> cuts,
                                    const FlatShard& shard);

}  // namespace edt
