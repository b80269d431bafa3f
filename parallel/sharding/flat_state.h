// What one rank keeps between steps: float32 master weights, optimizer state and moving averages of
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
  // `states`: names of the optimizer's state; `averages`: of moving averages beside the one that is
  // always there. All of it starts as zero.
  FlatState(Device& device, const FlatShard& shard, std::vector<std::string> states,
            std::vector<std::string> averages = {});

  const FlatShard& shard() const { return shard_; }
  // Packed, as the shard is.
  std::span<float> master() const { return floats(master_); }
  std::span<float> ema() const { return floats(ema_); }
  std::size_t state_count() const { return states_.size(); }
  const std::string& state_name(std::size_t i) const { return states_[i].name; }
  std::span<float> state(std::size_t i) const { return floats(states_[i].block); }
  std::size_t average_count() const { return averages_.size(); }
  const std::string& average_name(std::size_t i) const { return averages_[i].name; }
  std::span<float> average(std::size_t i) const { return floats(averages_[i].block); }

  std::vector<MemoryUse> bytes_by_category() const;

 private:
  struct Array {
    std::string name;
    Block block;
  };
  static std::vector<Array> make(Device& device, const FlatShard& shard,
                                 std::vector<std::string> names);
  static std::size_t bytes_of(const std::vector<Array>& arrays);
  static std::span<float> floats(const Block& block) {
    return {static_cast<float*>(block.data()), block.bytes() / sizeof(float)};
  }

  FlatShard shard_;
  Block master_, ema_;
  std::vector<Array> states_, averages_;
};

// Zero-filled memory of a device; in host memory, touched by the threads that will use it.
Block zeroed_block(Device& device, std::size_t bytes);
Block zeroed_floats(Device& device, std::int64_t elements);

// float32 values from and to a device's memory. Both wait.
void to_host(Device& device, std::span<const float> values, std::span<float> host);
void to_device(Device& device, std::span<const float> host, std::span<float> values);

}  // namespace edt
