// A trainable tensor. Values and gradients live in flat buffers that the layer above owns.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/tensor/tensor.h"

namespace edt {

class Tape;
struct Parameter;

// What makes a weight ternary (core/ops/ternary.h).
struct Ternary {
  Parameter* scale = nullptr;  // [1]
  std::int64_t elements = 0;   // of the whole weight, of which ranks may hold parts:
  // makes a number [1] of each rank's part the sum of all; empty: there is one part.
  std::function<void(Tape&, const Tensor&)> sum_of_parts;
};

struct Parameter {
  std::string name;  // the published name, e.g. "blocks.0.attn.qkv.weight"
  Shape shape;
  // Memory that may come and go during a step: ops ask the tape for it, at each use.
  Tensor value;                      // in the compute dtype
  Tensor grad;                       // float32 (float64 on a float64 tape)
  const Ternary* ternary = nullptr;  // nullptr: kernels multiply with the value as it is

  // Kept by the tape during a step.
  int pending_uses = 0;       // recorded uses whose backward has not run yet
  bool grad_written = false;  // false: the next contribution overwrites
};

// Whoever owns the memory of parameters. The tape tells it what a step is about to touch, so that
// values can be gathered and gradients reduced while the step goes on.
class ParameterOwner {
 public:
  virtual ~ParameterOwner() = default;
  // `value` is about to be read: by an op, in its forward or its backward.
  virtual void before_read(Parameter& parameter) = 0;
  // Whether `value` is there without waiting and stays where it is until the micro-batch ends. A
  // micro-batch that is replayed had the same answers.
  virtual bool is_resident(const Parameter& parameter) const = 0;
  // `grad` is about to be written for the first time.
  virtual void before_write(Parameter& parameter) = 0;
  // `grad` is final. Called once per step for every parameter that was used.
  virtual void gradient_final(Parameter& parameter) = 0;
};

}  // namespace edt
