#include "parallel/flat_state.h"

namespace edt {

Block zeroed_block(Device& device, std::size_t bytes) {
  Block block(device.memory(), bytes);
  const auto floats = static_cast<std::int64_t>(bytes / sizeof(float));
  EDT_ASSERT(bytes % sizeof(float) == 0);
  if (floats > 0) device.zero({block.data(), {floats}, DType::kFloat32});
  return block;
}

Block zeroed_floats(Device& device, std::int64_t elements) {
  return zeroed_block(device, static_cast<std::size_t>(elements) * sizeof(float));
}

FlatState::FlatState(Device& device, const FlatShard& shard, std::vector<std::string> states)
    : shard_(shard),
      master_(zeroed_floats(device, shard.elements())),
      ema_(zeroed_floats(device, shard.elements())) {
  for (std::string& name : states) {
    states_.push_back({std::move(name), zeroed_floats(device, shard.elements())});
  }
}

std::vector<MemoryUse> FlatState::bytes_by_category() const {
  std::size_t states = 0;
  for (const State& state : states_) states += state.block.bytes();
  return {{"master weights", master_.bytes()},
          {"optimizer state", states},
          {"moving average", ema_.bytes()}};
}

}  // namespace edt
