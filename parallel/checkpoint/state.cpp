#include "parallel/checkpoint/state.h"

#include <algorithm>

namespace edt {
namespace {

// The parts of a fragment that lie in each box of its tensor.
void append_fragments(std::vector<StateFragment>& fragments, const FlatFragment& fragment,
                      const TensorShard& cut) {
  std::int64_t box_begin = 0;  // in the local tensor
  for (const TensorShard::Box& box : cut.boxes()) {
    const std::int64_t box_end = box_begin + box.extent.elements();
    const std::int64_t begin = std::max(fragment.begin, box_begin);
    const std::int64_t end = std::min(fragment.end, box_end);
    if (begin < end) {
      fragments.push_back({.tensor = fragment.tensor,
                           .region = {box.origin, box.extent, begin - box_begin, end - box_begin},
                           .offset = fragment.offset + begin - fragment.begin,
                           .written = cut.counted_here()});
    }
    box_begin = box_end;
  }
}

}  // namespace

CheckpointState state_of(const FlatLayout& layout, const FlatShard& shard,
                         std::vector<StateArray> arrays) {
  std::vector<TensorShard> whole;
  for (const FlatTensor& tensor : layout.tensors()) whole.push_back({.logical = tensor.shape});
  return state_of(layout, whole, shard, std::move(arrays));
}

CheckpointState state_of(const FlatLayout& layout, std::span<const TensorShard> cuts,
                         const FlatShard& shard, std::vector<StateArray> arrays,
                         std::span<const TensorPart> parts) {
  EDT_ASSERT(cuts.size() == layout.tensors().size());
  EDT_ASSERT(parts.empty() || parts.size() == cuts.size());
  CheckpointState state;
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    EDT_ASSERT(cuts[i].local() == layout.tensor(i).shape);
    state.tensors.push_back(
        {layout.tensor(i).name, cuts[i].logical, parts.empty() ? TensorPart{} : parts[i]});
  }
  for (const FlatFragment& fragment : layout.fragments(shard)) {
    append_fragments(state.fragments, fragment, cuts[fragment.tensor]);
  }
  for (const StateArray& array : arrays) {
    EDT_ASSERT(static_cast<std::int64_t>(array.values.size()) >= shard.elements());
  }
  state.arrays = std::move(arrays);
  return state;
}

}  // namespace edt
