// A tape on the toy device, three parameters and an input.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/core/autograd/toy_ops.h"

namespace edt {

// Keeps the names of parameters in the order in which the tape spoke of them.
struct RecordingOwner final : ParameterOwner {
  void before_read(Parameter& p) override { reads.push_back(p.name); }
  bool is_resident(const Parameter&) const override { return true; }
  void before_write(Parameter& p) override { writes.push_back(p.name); }
  void gradient_final(Parameter& p) override {
    ready.push_back(p.name);
    if (on_final) on_final(p);
  }
  std::vector<std::string> reads, writes, ready;
  std::function<void(Parameter&)> on_final;
};

class TapeTest : public testing::Test {
 protected:
  static constexpr std::int64_t kSize = 8;

  TapeTest() {
    tape.set_parameter_owner(&owner);
    for (std::size_t i = 0; i < input.size(); ++i) input[i] = 0.5f + 0.25f * static_cast<float>(i);
  }

  Var leaf() { return tape.leaf(view_of(std::span(input), {kSize}), true); }

  // Ready for the next step: as the layer that owns the parameters does.
  void next_step() {
    tape.clear();
    for (ToyParameter* p : {&a, &b, &c}) {
      EXPECT_EQ(p->pending_uses, 0) << p->name;
      p->grad_written = false;
      std::ranges::fill(p->gradient, 1e30f);
    }
    owner.reads.clear();
    owner.writes.clear();
    ready.clear();
  }

  std::vector<float> input = std::vector<float>(kSize);
  ToyDevice device;
  Arena arena{host_memory(), std::size_t{2} << 20};
  Profiler profiler;
  ToyParameter a{"a", kSize, 1.5f}, b{"b", kSize, -0.5f}, c{"c", kSize, 2.0f};
  RecordingOwner owner;
  std::vector<std::string>& ready = owner.ready;
  Tape tape{device, arena, profiler, DType::kFloat32};
};

using Names = std::vector<std::string>;

}  // namespace edt
