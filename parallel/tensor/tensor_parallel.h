// Tensor parallelism in the manner of Megatron (Shoeybi et al., arXiv 1909.08053): the ranks of a
// group hold parts of the heads and of the wide layers of one model, and see the same samples.
//
//   copy_to_tensor_ranks   the same activation enters the parts of all ranks
//   sum_over_tensor_ranks  the partial results of all ranks become one activation
//   gather_columns         the columns that each rank computed become one activation
//
// What these return, and the gradients they hand back where ranks share an activation, has the same
// bits on all ranks. Sums are float32 (float64 on a float64 tape): bf16 is widened before and
// rounded once after. Labels name the tensor; they must outlive the tape's nodes.
#pragma once

#include <string_view>

#include "core/autograd/tape.h"
#include "parallel/comm/communicator.h"

namespace edt {

// The ranks that hold one model together; by default one rank holds all of it.
struct TensorGroup {
  Communicator* communicator = nullptr;
  // The same ranks for tensors of the device (parallel/comm/device/device_communicator.h); by
  // default `communicator`, for tensors in host memory.
  Communicator* device = nullptr;

  int rank() const { return communicator == nullptr ? 0 : communicator->rank(); }
  int size() const { return communicator == nullptr ? 1 : communicator->size(); }
  bool single() const { return size() == 1; }
  Communicator& tensors() const { return device == nullptr ? *communicator : *device; }
};

// x itself; backward sums the gradient over the ranks.
Var copy_to_tensor_ranks(Tape& tape, const Var& x, const TensorGroup& ranks,
                         std::string_view label);

// `values`, float32 or float64 of the tape's device, become the sum of the ranks' values.
void sum_in_place(Tape& tape, const Tensor& values, const TensorGroup& ranks,
                  std::string_view label);

// The sum of the ranks' x; backward hands the gradient on.
Var sum_over_tensor_ranks(Tape& tape, const Var& x, const TensorGroup& ranks,
                          std::string_view label);

// x [M, N / size] of each rank -> [M, N], in the order of the ranks; backward takes this rank's
// columns of the gradient.
Var gather_columns(Tape& tape, const Var& x, const TensorGroup& ranks, std::string_view label);

}  // namespace edt
