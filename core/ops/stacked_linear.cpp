#include "core/ops/stacked_linear.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"
#include "core/ops/linear.h"

namespace edt {
namespace {

using StackedMaps = std::array<StackedMap, 3>;

// Rows of the i-th of them.
Tensor part_of_stack(const Tensor& stack, std::size_t i) {
  const std::int64_t rows = stack.shape[0] / 3, first = static_cast<std::int64_t>(i) * rows;
  return stack.slice(first, first + rows);
}

Var stacked_weights(Tape& tape, const StackedMaps& maps) {
  const Shape& one = maps[0].weight->shape;
  const Var stack = tape.make({3 * one[0], one[1]});
  for (std::size_t i = 0; i < maps.size(); ++i) {
    tape.device().copy(tape.read(*maps[i].weight), part_of_stack(stack.tensor(), i));
  }
  return stack;
}

Var stacked_biases(Tape& tape, const StackedMaps& maps) {
  const Var stack = tape.make({3 * maps[0].bias->shape[0]});
  for (std::size_t i = 0; i < maps.size(); ++i) {
    tape.device().copy(tape.read(*maps[i].bias), part_of_stack(stack.tensor(), i));
  }
  return stack;
}

void give_part(Device& device, const Tensor& from, const GradTarget& to) {
  to.accumulate ? device.add_into(from, to.tensor) : device.copy(from, to.tensor);
}

void check_maps(const Var& x, const StackedMaps& maps) {
  for (const StackedMap& map : maps) {
    check_linear(x, *map.weight, map.bias);
    check_shape("stacked_linear", map.weight->name, map.weight->shape, maps[0].weight->shape);
    require(map.weight->ternary == nullptr && map.bias != nullptr, "stacked_linear",
            "{} is ternary or has no bias", map.weight->name);
  }
}

Shape stacked_shape(const Var& x, const StackedMaps& maps) {
  Shape shape;
  for (int i = 0; i + 1 < x.shape().rank(); ++i) shape.append(x.shape()[i]);
  shape.append(3 * maps[0].weight->shape[0]);
  return shape;
}

// dW = dy^T x, and the column sums of dy, for all maps at once.
void give_gradients(Tape& tape, const Tensor& dy, const Tensor& x, const StackedMaps& maps) {
  const Var weights = tape.make({dy.shape[1], x.shape[1]}, tape.accurate_dtype());
  const Var biases = tape.make({dy.shape[1]}, tape.accurate_dtype());
  backend_of(tape).linear_backward_weight(dy, x, {weights.tensor(), false},
                                          {biases.tensor(), false});
  for (std::size_t i = 0; i < maps.size(); ++i) {
    give_part(tape.device(), part_of_stack(weights.tensor(), i), tape.target(*maps[i].weight));
    give_part(tape.device(), part_of_stack(biases.tensor(), i), tape.target(*maps[i].bias));
  }
}

}  // namespace

Var stacked_linear(Tape& tape, const Var& x, const std::array<StackedMap, 3>& maps) {
  check_maps(x, maps);
  const double flops = 3 * linear_flops(x, *maps[0].weight);
  const Var y = tape.make(stacked_shape(x, maps));
  {
    Profiler::Scope scope(tape.profiler(), "linear.forward", flops);
    const Var weights = stacked_weights(tape, maps), biases = stacked_biases(tape, maps);
    backend_of(tape).linear_forward(as_matrix(x.tensor()), weights.tensor(), biases.tensor(), {},
                                    as_matrix(y.tensor()));
  }
  tape.record(
      "stacked_linear", y,
      {maps[0].weight, maps[0].bias, maps[1].weight, maps[1].bias, maps[2].weight, maps[2].bias},
      [x, dx = x.grad(), maps, flops](Tape& t, OutputGrad& dy) {
        const Tensor d = as_matrix(dy.tensor());
        if (dx) {
          Profiler::Scope scope(t.profiler(), "linear.backward_input", flops);
          const Var weights = stacked_weights(t, maps);
          backend_of(t).linear_backward_input(d, weights.tensor(), as_matrix(t.target(dx)));
        }
        Profiler::Scope scope(t.profiler(), "linear.backward_weight", flops);
        give_gradients(t, d, as_matrix(x.tensor()), maps);
      });
  return y;
}

}  // namespace edt
