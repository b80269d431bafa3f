#include "parallel/tensor/tensor_parallel.h"

#include "core/ops/layout.h"

namespace edt {
namespace {

// For tensors of the tape's device.
Communicator& tensors_of(Tape& tape, const TensorGroup& ranks) {
  EDT_ASSERT(ranks.device != nullptr || tape.device().in_host_memory());
  return ranks.tensors();
}

// to = sum of `from` over the ranks; both may be the same memory.
void sum_ranks(Tape& tape, const Tensor& from, const Tensor& to, const TensorGroup& ranks,
               std::string_view label) {
  Profiler::Scope scope(tape.profiler(), "tensor_parallel.sum");
  const bool narrow = from.dtype == DType::kBFloat16;
  const Var wide = narrow ? tape.make(from.shape, DType::kFloat32) : Var{};
  const Tensor sum = narrow ? wide.tensor() : to;
  if (sum.data != from.data) tape.device().copy(from, sum);
  tensors_of(tape, ranks).all_reduce(sum, Reduce::kSum, label);
  if (narrow) tape.device().copy(sum, to);
}

// x of each rank -> [size, ...x]
Var gather_ranks(Tape& tape, const Var& x, const TensorGroup& ranks, std::string_view label) {
  Shape shape{ranks.size()};
  for (int i = 0; i < x.shape().rank(); ++i) shape.append(x.shape()[i]);
  Var all = tape.make(shape, x.dtype());
  {
    Profiler::Scope scope(tape.profiler(), "tensor_parallel.gather");
    tensors_of(tape, ranks).all_gather(x.tensor(), all.tensor(), label);
  }
  if (!x.needs_grad()) return all;
  tape.record("gather_ranks", all, {},
              [dx = x.grad(), shape = x.shape(), rank = ranks.rank()](Tape& t, OutputGrad& dy) {
                const Tensor own = dy.tensor().slice(rank, rank + 1).reshaped(shape);
                const GradTarget into = t.target(dx);
                if (into.accumulate) {
                  t.device().add_into(own, into.tensor);
                } else {
                  t.device().copy(own, into.tensor);
                }
              });
  return all;
}

}  // namespace

// The result is a second value over x's memory: the node keeps x alive for as long as nodes that
// read the result can run.
Var copy_to_tensor_ranks(Tape& tape, const Var& x, const TensorGroup& ranks,
                         std::string_view label) {
  if (ranks.single() || !tape.recording() || !x.needs_grad()) return x;
  Var y = tape.leaf(x.tensor());
  tape.record("copy_to_tensor_ranks", y, {}, [x, ranks, label](Tape& t, OutputGrad& dy) {
    sum_ranks(t, dy.tensor(), dy.tensor(), ranks, label);
    dy.give_to(x.grad());
  });
  return y;
}

void sum_in_place(Tape& tape, const Tensor& values, const TensorGroup& ranks,
                  std::string_view label) {
  if (!ranks.single()) sum_ranks(tape, values, values, ranks, label);
}

Var sum_over_tensor_ranks(Tape& tape, const Var& x, const TensorGroup& ranks,
                          std::string_view label) {
  if (ranks.single()) return x;
  Var y = tape.make(x.shape(), x.dtype());
  sum_ranks(tape, x.tensor(), y.tensor(), ranks, label);
  if (!x.needs_grad()) return y;
  tape.record("sum_over_tensor_ranks", y, {},
              [dx = x.grad()](Tape&, OutputGrad& dy) { dy.give_to(dx); });
  return y;
}

Var gather_columns(Tape& tape, const Var& x, const TensorGroup& ranks, std::string_view label) {
  if (ranks.single()) return x;
  require(x.shape().rank() == 2, "gather_columns", "{}: input is {}, expected [M, N]", label,
          to_string(x.shape()));
  return join_columns(tape, gather_ranks(tape, x, ranks, label));
}

}  // namespace edt
