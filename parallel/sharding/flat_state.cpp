#include "parallel/sharding/flat_state.h"

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

void to_host(Device& device, std::span<const float> values, std::span<float> host) {
  EDT_ASSERT(host.size() == values.size());
  if (host.empty()) return;
  const Shape shape{static_cast<std::int64_t>(values.size())};
  device.download({const_cast<float*>(values.data()), shape, DType::kFloat32}, host.data());
}

void to_device(Device& device, std::span<const float> host, std::span<float> values) {
  EDT_ASSERT(host.size() == values.size());
  if (host.empty()) return;
  device.upload(host.data(), view_of(values, {static_cast<std::int64_t>(values.size())}));
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
