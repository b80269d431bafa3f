// The flat buffers of one rank: float32 master weights, the copy that kernels read, the gradient,
// optimizer state and moving average, and the views of them that parameters carry.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/autograd/parameter.h"
#include "core/tensor/memory.h"
#include "parallel/flat_layout.h"

namespace edt {

// A named use of memory, for reports and plans.
struct MemoryUse {
  std::string_view category;
  std::size_t bytes = 0;
};

struct FlatBufferOptions {
  DType compute = DType::kFloat32;  // or kBFloat16: kernels then read a rounded copy
  std::vector<std::string> states;  // names of the optimizer's state
  bool ema = true;
};

class FlatBuffers {
 public:
  // Master weights, state and moving average cover `shard`; compute copy and gradient the whole
  // layout. All of it starts as zero. Where the shard is the whole layout and compute is float32
  // the compute copy is the master itself.
  FlatBuffers(Memory& memory, const FlatLayout& layout, const FlatShard& shard,
              const FlatBufferOptions& options);

  const FlatLayout& layout() const { return layout_; }
  const FlatShard& shard() const { return shard_; }

  // Of the shard, packed.
  std::span<float> master() const { return floats(master_); }
  std::span<float> ema() const { return floats(ema_); }  // empty without a moving average
  std::size_t state_count() const { return states_.size(); }
  const std::string& state_name(std::size_t i) const { return states_[i].name; }
  std::span<float> state(std::size_t i) const { return floats(states_[i].block); }

  // Of the whole layout.
  std::span<float> gradient() const { return floats(gradient_); }
  std::span<bfloat16> compute_bf16() const;  // empty when kernels read float32
  DType compute_dtype() const { return compute_dtype_; }

  // Points value and grad of each parameter at its place. The parameters are those of the layout,
  // in its order.
  void bind(std::span<Parameter* const> parameters) const;
  // Points grad at its place in another buffer of the layout's size.
  void bind_gradients(std::span<Parameter* const> parameters, std::span<float> gradient) const;

  // Rounds the master weights of the shard into the compute copy; nothing to do when they are one.
  void refresh_compute() const;

  std::vector<MemoryUse> bytes_by_category() const;

 private:
  struct State {
    std::string name;
    Block block;
  };
  static std::span<float> floats(const Block& block) {
    return {static_cast<float*>(block.data()), block.bytes() / sizeof(float)};
  }

  FlatLayout layout_;
  FlatShard shard_;
  DType compute_dtype_;
  bool compute_is_master_;
  Block master_, compute_, gradient_, ema_;
  std::vector<State> states_;
};

// Zero-filled memory for `elements` floats, touched by the threads that will use it.
Block zeroed_floats(Memory& memory, std::int64_t elements);

}  // namespace edt
