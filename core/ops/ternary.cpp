#include "core/ops/ternary.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {

// Memory of the arena, not values of the tape: a weight does not grow with the number of tokens.
WeightUse::WeightUse(Tape& tape, Parameter& weight) : tape_(tape), weight_(weight) {
  const Tensor stored = tape.read(weight);
  if (weight.ternary == nullptr) {
    value_ = stored;
    return;
  }
  Parameter& scale = *weight.ternary->scale;
  check_shape("ternary", scale.name, scale.shape, {1});
  const Tensor factor = tape.read(scale);
  sum_ = tape.arena().make({1}, tape.accurate_dtype());
  value_ = tape.arena().make(weight.shape, tape.dtype());
  quantize(stored, factor);
}

void WeightUse::quantize(const Tensor& weight, const Tensor& scale) {
  const Ternary& ternary = *weight_.ternary;
  {
    const Profiler::Scope scope(tape_.profiler(), "ternary.sum");
    backend_of(tape_).absolute_sum(weight, sum_);
  }
  if (ternary.sum_of_parts) ternary.sum_of_parts(tape_, sum_);
  const Profiler::Scope scope(tape_.profiler(), "ternary.quantize");
  backend_of(tape_).ternary_quantize(weight, sum_, ternary.elements, scale, value_);
}

WeightUse::~WeightUse() {
  if (weight_.ternary == nullptr) return;
  Arena& arena = tape_.arena();
  if (gradient_.wanted()) arena.release(gradient_.tensor.data);
  arena.release(value_.data);
  arena.release(sum_.data);
}

const GradTarget& WeightUse::gradient() {
  gradient_ = weight_.ternary == nullptr
                  ? tape_.target(weight_)
                  : GradTarget{tape_.arena().make(weight_.shape, tape_.accurate_dtype())};
  return gradient_;
}

// The sum over parts of a weight is made before it is added to what other uses have given.
void WeightUse::finish() {
  if (weight_.ternary == nullptr) return;
  const Ternary& ternary = *weight_.ternary;
  const Tensor scale = tape_.read(*ternary.scale), stored = tape_.read(weight_);
  const Tensor part = tape_.arena().make({1}, tape_.accurate_dtype());
  const GradTarget to = tape_.target(*ternary.scale);
  {
    const Profiler::Scope scope(tape_.profiler(), "ternary.gradient");
    backend_of(tape_).ternary_gradient(gradient_.tensor, stored, sum_, ternary.elements, scale,
                                       tape_.target(weight_),
                                       ternary.sum_of_parts ? GradTarget{part} : to);
  }
  if (ternary.sum_of_parts) {
    ternary.sum_of_parts(tape_, part);
    to.accumulate ? tape_.device().add_into(part, to.tensor) : tape_.device().copy(part, to.tensor);
  }
  tape_.arena().release(part.data);
}

}  // namespace edt
