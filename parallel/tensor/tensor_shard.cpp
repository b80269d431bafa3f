#include "parallel/tensor/tensor_shard.h"

#include <algorithm>

namespace edt {
namespace {

Shape with_dim(const Shape& shape, int axis, std::int64_t dim) {
  Shape changed;
  for (int i = 0; i < shape.rank(); ++i) changed.append(i == axis ? dim : shape[i]);
  return changed;
}

int axis_of(const TensorShard& shard) {
  return shard.cut.axis == TensorCut::Axis::kRows ? 0 : shard.logical.rank() - 1;
}

// f(offset in the logical tensor, offset in the local one, length) for all runs of this rank.
template <class F>
void for_each_run(const TensorShard& shard, F f) {
  if (shard.whole()) return f(0, 0, shard.logical.elements());
  std::int64_t lines = 1, inner = 1;
  const int axis = axis_of(shard);
  for (int i = 0; i < axis; ++i) lines *= shard.logical[i];
  for (int i = axis + 1; i < shard.logical.rank(); ++i) inner *= shard.logical[i];
  const std::int64_t chunk = shard.logical[axis] / shard.cut.chunks * inner;
  const std::int64_t run = chunk / shard.ranks;
  for (std::int64_t i = 0; i < lines * shard.cut.chunks; ++i) {
    f(i * chunk + shard.rank * run, i * run, run);
  }
}

}  // namespace

bool TensorShard::fits() const {
  return whole() || (logical.rank() > 0 && logical[axis_of(*this)] % (cut.chunks * ranks) == 0);
}

Shape TensorShard::local() const {
  if (whole()) return logical;
  const int axis = axis_of(*this);
  return with_dim(logical, axis, logical[axis] / ranks);
}

std::vector<TensorShard::Box> TensorShard::boxes() const {
  const Shape zeros = [&] {
    Shape shape;
    for (int i = 0; i < logical.rank(); ++i) shape.append(0);
    return shape;
  }();
  if (whole()) return {{zeros, logical}};
  const int axis = axis_of(*this);
  const std::int64_t chunk = logical[axis] / cut.chunks, part = chunk / ranks;
  std::vector<Box> found;
  found.reserve(static_cast<std::size_t>(cut.chunks));
  for (int i = 0; i < cut.chunks; ++i) {
    found.push_back(
        {with_dim(zeros, axis, i * chunk + rank * part), with_dim(logical, axis, part)});
  }
  return found;
}

void TensorShard::take(std::span<const float> logical_values, std::span<float> local_values) const {
  EDT_ASSERT(static_cast<std::int64_t>(logical_values.size()) == logical.elements());
  EDT_ASSERT(static_cast<std::int64_t>(local_values.size()) == local().elements());
  for_each_run(*this, [&](std::int64_t from, std::int64_t to, std::int64_t length) {
    std::copy_n(logical_values.begin() + from, length, local_values.begin() + to);
  });
}

void TensorShard::put(std::span<const float> local_values, std::span<float> logical_values) const {
  EDT_ASSERT(static_cast<std::int64_t>(logical_values.size()) == logical.elements());
  EDT_ASSERT(static_cast<std::int64_t>(local_values.size()) == local().elements());
  for_each_run(*this, [&](std::int64_t to, std::int64_t from, std::int64_t length) {
    std::copy_n(local_values.begin() + from, length, logical_values.begin() + to);
  });
}

std::vector<ElementRange> copies_in(const FlatLayout& layout, std::span<const TensorShard> cuts,
                                    const FlatShard& shard) {
  EDT_ASSERT(cuts.size() == layout.tensors().size());
  std::vector<ElementRange> copies;
  for (const FlatFragment& fragment : layout.fragments(shard)) {
    if (cuts[fragment.tensor].counted_here()) continue;
    const auto begin = static_cast<std::size_t>(fragment.offset);
    copies.push_back({begin, begin + static_cast<std::size_t>(fragment.end - fragment.begin)});
  }
  return copies;
}

}  // namespace edt
