#include "parallel/flat_state.h"

#include <algorithm>
#include <cstring>

namespace edt {

Block zeroed_block(Memory& memory, std::size_t bytes) {
  Block block(memory, bytes);
  constexpr std::size_t kChunk = std::size_t{1} << 20;
  auto* data = static_cast<std::byte*>(block.data());
#pragma omp parallel for schedule(static)
  for (std::size_t begin = 0; begin < bytes; begin += kChunk) {
    std::memset(data + begin, 0, std::min(kChunk, bytes - begin));
  }
  return block;
}

Block zeroed_floats(Memory& memory, std::int64_t elements) {
  return zeroed_block(memory, static_cast<std::size_t>(elements) * sizeof(float));
}

FlatState::FlatState(Memory& memory, const FlatShard& shard, std::vector<std::string> states)
    : shard_(shard),
      master_(zeroed_floats(memory, shard.elements())),
      ema_(zeroed_floats(memory, shard.elements())) {
  for (std::string& name : states) {
    states_.push_back({std::move(name), zeroed_floats(memory, shard.elements())});
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
