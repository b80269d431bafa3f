#include "parallel/checkpoint/state.h"

namespace edt {

CheckpointState state_of(const FlatLayout& layout, const FlatShard& shard,
                         std::vector<StateArray> arrays) {
  CheckpointState state;
  for (const FlatTensor& tensor : layout.tensors()) {
    state.tensors.push_back({tensor.name, tensor.shape});
  }
  for (const FlatPiece& piece : layout.pieces(shard)) {
    const Shape& shape = layout.tensor(piece.tensor).shape;
    state.pieces.push_back(
        {piece.tensor, Region::of_whole(shape, piece.begin, piece.end), piece.offset});
  }
  for (const StateArray& array : arrays) {
    EDT_ASSERT(static_cast<std::int64_t>(array.values.size()) == shard.elements());
  }
  state.arrays = std::move(arrays);
  return state;
}

}  // namespace edt
