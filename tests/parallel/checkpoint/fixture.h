// A small model's state, in any layout, and directories that disappear with the test.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/random/stream.h"
#include "core/storage/durable_file.h"
#include "parallel/checkpoint/checkpoint.h"
#include "parallel/checkpoint/writer.h"
#include "parallel/comm/self/self_communicator.h"
#include "tests/parallel/small_layout.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"

namespace edt::test {

namespace fs = std::filesystem;

inline const std::vector<std::string>& array_names() {
  static const std::vector<std::string> names{"master", "ema", "adan.exp_avg"};
  return names;
}

// The value of one element depends on step, array, tensor and position alone, not on the layout.
inline std::vector<float> tensor_values(std::int64_t step, std::size_t array, std::size_t tensor,
                                        std::int64_t elements) {
  std::vector<float> values(static_cast<std::size_t>(elements));
  random::fill_normal({.seed = array,
                       .step = static_cast<std::uint32_t>(step),
                       .sample = static_cast<std::uint32_t>(tensor)},
                      values);
  return values;
}

// The memory of one rank with its share of the state.
class RankState {
 public:
  RankState(const FlatLayout& layout, int rank, int ranks, std::int64_t bucket = 700) {
    const FlatShard shard = layout.shard(layout.buckets(bucket), rank, ranks);
    state_ = state_of(layout, shard, make_arrays(shard));
  }
  // The tensors of small_layout(), cut over tensor ranks, and over data ranks then.
  RankState(const std::vector<TensorShard>& cuts, int data_rank, int data_ranks) {
    std::vector<FlatTensor> tensors = small_layout().tensors();
    for (std::size_t i = 0; i < tensors.size(); ++i) tensors[i].shape = cuts[i].local();
    const FlatLayout layout(std::move(tensors), small_layout().block());
    const FlatShard shard = layout.shard(layout.buckets(700), data_rank, data_ranks);
    state_ = state_of(layout, cuts, shard, make_arrays(shard));
  }
  RankState(RankState&&) = default;

  void fill(std::int64_t step) {
    for_each_element(step, [](float& value, float expected) { value = expected; });
  }
  std::int64_t count_wrong(std::int64_t step) {
    std::int64_t wrong = 0;
    for_each_element(step, [&](float& value, float expected) { wrong += value != expected; });
    return wrong;
  }
  const CheckpointState& state() const { return state_; }

 private:
  std::vector<StateArray> make_arrays(const FlatShard& shard) {
    std::vector<StateArray> arrays;
    memory_.resize(array_names().size());
    for (std::size_t a = 0; a < memory_.size(); ++a) {
      memory_[a].resize(static_cast<std::size_t>(shard.elements()));
      arrays.push_back({array_names()[a], memory_[a]});
    }
    return arrays;
  }

  template <class F>
  void for_each_element(std::int64_t step, F&& visit) {
    for (std::size_t a = 0; a < memory_.size(); ++a) {
      for (const StateFragment& fragment : state_.fragments) {
        const Shape& shape = state_.tensors[fragment.tensor].shape;
        const auto values = tensor_values(step, a, fragment.tensor, shape.elements());
        for (const Run& run : runs_of(fragment.region, shape)) {
          for (std::int64_t i = 0; i < run.length; ++i) {
            visit(memory_[a][static_cast<std::size_t>(fragment.offset + run.local + i)],
                  values[static_cast<std::size_t>(run.logical + i)]);
          }
        }
      }
    }
  }

  std::vector<std::vector<float>> memory_;
  CheckpointState state_;
};

inline CheckpointInfo info_of_step(std::int64_t step) {
  return {.step = step,
          .samples_seen = step * 256,
          .seed = 0xffffffffffffffffu,
          .model = "EDT-test",
          .optimizer = "adan",
          .compute_dtype = "bf16",
          .configuration = "[train]\nsteps = 7\n",
          .mesh = "data 1",
          .extra = R"({"position":12})"};
}

inline std::vector<ExtraArray> extras_of_step(std::int64_t step) {
  return {{"history", std::vector<double>{1.5, static_cast<double>(step)}},
          {"counts", std::vector<std::int32_t>{1, 2, 3}}};
}

// Writes steps one after the other, as one rank.
inline std::vector<CheckpointReport> save_steps(const CheckpointStore& store,
                                                std::initializer_list<std::int64_t> steps,
                                                CheckpointWriterOptions options = {}) {
  RankState rank(small_layout(), 0, 1);
  std::filesystem::create_directories(store.directory());
  CheckpointWriter writer(store, make_self_communicator(), rank.state(), std::move(options));
  for (const std::int64_t step : steps) {
    rank.fill(step);
    writer.save(info_of_step(step), extras_of_step(step));
  }
  writer.wait();
  return writer.take_reports();
}

// Step of the newest intact checkpoint, whose content is compared; -1 when there is none.
inline std::int64_t loaded_step(const CheckpointStore& store) {
  const CheckpointChoice choice = newest_intact(store);
  if (!choice.checkpoint) return -1;
  const std::int64_t step = choice.checkpoint->info().step;
  RankState rank(small_layout(), 0, 1);
  choice.checkpoint->load(rank.state());
  EXPECT_EQ(rank.count_wrong(step), 0) << "step " << step;
  return step;
}

}  // namespace edt::test
