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

FlatState::FlatState(Device& device, const FlatShard& shard, std::vector<std::string> states,
                     std::vector<std::string> averages)
    : shard_(shard),
      master_(zeroed_floats(device, shard.elements())),
      ema_(zeroed_floats(device, shard.elements())),
      states_(make(device, shard, std::move(states))),
      averages_(make(device, shard, std::move(averages))) {}

std::vector<FlatState::Array> FlatState::make(Device& device, const FlatShard& shard,
                                              std::vector<std::string> names) {
  std::vector<Array> arrays;
  for (std::string& name : names) {
    arrays.push_back({std::move(name), zeroed_floats(device, shard.elements())});
  }
  return arrays;
}

std::size_t FlatState::bytes_of(const std::vector<Array>& arrays) {
  std::size_t bytes = 0;
  for (const Array& array : arrays) bytes += array.block.bytes();
  return bytes;
}

std::vector<MemoryUse> FlatState::bytes_by_category() const {
  std::vector<MemoryUse> uses{{"master weights", master_.bytes()},
                              {"optimizer state", bytes_of(states_)},
                              {"moving average", ema_.bytes()}};
  if (!averages_.empty()) uses.push_back({"power-function averages", bytes_of(averages_)});
  return uses;
}

}  // namespace edt
