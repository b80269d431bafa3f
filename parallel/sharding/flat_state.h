// What one rank keeps between steps: float32 master weights, optimizer state and moving average of
// its shard of the flat layout.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor/device.h"
#include "parallel/sharding/flat_layout.h"

namespace edt {

// A named use of memory, for reports and plans.
struct MemoryUse {
  std::string_view category;
  std::size_t bytes = 0;
};

class FlatState {
 public:
  // `states`: names of the optimizer's state. All of it starts as zero.
  FlatState(Device& device, const FlatShard& shard, std::vector<std::string> states);

  const FlatShard& shard() const { return shard_; }
  // Packed, as the shard is.
  std::span<float> master() const { return floats(master_); }
  std::span<float> ema() const { return floats(ema_); }
  std::size_t state_count() const { return states_.size(); }
  const std::string& state_name(std::size_t i) const { return states_[i].name; }
  std::span<float> state(std::size_t i) const { return floats(states_[i].block); }

  std::vector<MemoryUse> bytes_by_category() const;

 private:
  struct State {
    std::string name;
    Block block;
  };
  static std::span<float> floats(const Block& block) {
    return {static_cast<float*>(block.data()), block.bytes() / sizeof(float)};
  }

  FlatShard shard_;
  Block master_, ema_;
  std::vector<State> states_;
};

// Zero-filled memory of a device; in host memory, touched by the threads that will use it.
Block zeroed_block(Device& device, std::size_t bytes);
Block zeroed_floats(Device& device, std::int64_t elements);

// float32 values from and to a device's memory. Both wait.
void to_host(Device& device, std::span<const float> values, std::span<float> host);
void to_device(Device& device, std::span<const float> host, std::span<float> values);

}  // namespace edt
