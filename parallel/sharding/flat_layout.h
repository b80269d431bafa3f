// Where each parameter lies in the flat buffers that ZeRO, optimizer and checkpoint share.
//
//   flat   | group "x_embedder"  pad| group "blocks.0"        pad| group "blocks.1"  pad| ...
//   tensor | weight |bias|          | w | b |   w     |          |
//
// Tensors keep the order of the model and start at a multiple of kTensorAlignment; groups (one per
// transformer block) start at a multiple of the block over which partial gradient norms are taken.
// Nothing here depends on the number of ranks: a rank owns a slice of whole blocks of each bucket.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/autograd/parameter.h"
#include "core/tensor/shape.h"

namespace edt {

struct FlatTensor {
  std::string name;
  Shape shape;
  std::int64_t offset = 0;  // of the first element in the flat buffer

  std::int64_t elements() const { return shape.elements(); }
  std::int64_t end() const { return offset + elements(); }
};

// Elements [begin, end) of the flat buffer.
struct FlatRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  std::int64_t elements() const { return end - begin; }
  bool operator==(const FlatRange&) const = default;
};

// Neighbouring tensors [first, last) that are reduced or gathered together.
struct FlatBucket {
  std::string name;  // of its first group
  std::size_t first = 0;
  std::size_t last = 0;
  FlatRange range;  // whole blocks
};

// Elements [begin, end) of tensor `tensor`, which lie at `offset` of a shard's packed buffer.
struct FlatFragment {
  std::size_t tensor = 0;
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t offset = 0;

  bool operator==(const FlatFragment&) const = default;
};

// What one rank owns: ranges of whole blocks, packed one after the other in its local buffers.
struct FlatShard {
  struct Part {
    FlatRange range;
    std::int64_t offset = 0;  // in the packed buffer
  };
  std::vector<Part> parts;
  std::int64_t elements() const {
    return parts.empty() ? 0 : parts.back().offset + parts.back().range.elements();
  }
  // One more range, packed behind the others or at an offset of its own; one that goes on where the
  // last ends becomes part of it.
  void append(const FlatRange& range) { append(range, elements()); }
  void append(const FlatRange& range, std::int64_t offset);
};

class FlatLayout {
 public:
  static constexpr std::int64_t kTensorAlignment = 16;

  // `block`: elements over which one partial norm is taken (kNormBlock), a multiple of the
  // alignment. Tensors come in the order of the model; names are unique.
  FlatLayout(std::vector<FlatTensor> tensors, std::int64_t block);
  static FlatLayout of(std::span<Parameter* const> parameters, std::int64_t block);

  const std::vector<FlatTensor>& tensors() const { return tensors_; }
  const FlatTensor& tensor(std::size_t i) const { return tensors_[i]; }
  // Index of a tensor; tensors().size() where there is none of that name.
  std::size_t find(std::string_view name) const;
  std::int64_t block() const { return block_; }
  std::int64_t size() const { return size_; }          // padded: a multiple of block()
  std::int64_t elements() const { return elements_; }  // of the tensors, without padding

  // One bucket per transformer block (or other part of the model).
  const std::vector<FlatBucket>& groups() const { return groups_; }
  // Neighbouring groups joined until a bucket has at least `elements`.
  std::vector<FlatBucket> buckets(std::int64_t elements) const;

  // Where the parts of `ranks` ranks begin and end in a bucket: ranks + 1 offsets of whole blocks
  // in the flat buffer.
  std::vector<std::int64_t> bounds(const FlatBucket& bucket, int ranks) const;
  // The part of `rank` out of `ranks`: of each bucket the rank-th run of whole blocks. The shards
  // of all ranks cover the buffer once. With one rank this is the whole buffer as one part.
  FlatShard shard(std::span<const FlatBucket> buckets, int rank, int ranks) const;
  FlatShard whole() const;

  // The tensor elements inside a shard, in order.
  std::vector<FlatFragment> fragments(const FlatShard& shard) const;

 private:
  std::vector<FlatTensor> tensors_;
  std::vector<FlatBucket> groups_;
  std::int64_t block_;
  std::int64_t size_ = 0;
  std::int64_t elements_ = 0;
};

// The part of the model a name belongs to: everything up to its first number, of blocks in groups
// up to the second, else its first component. "blocks.3.attn.qkv.weight" -> "blocks.3",
// "block_groups.1.2.norm1.bias" -> "block_groups.1.2", "final_layer.linear.bias" -> "final_layer".
std::string_view group_of(std::string_view name);

}  // namespace edt
