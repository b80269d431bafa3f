// Linear maps as parameter handles, and how they are cut over tensor ranks.
#pragma once

#include <string>

#include "core/ops/backend.h"
#include "model/config.h"
#include "model/parameters.h"

namespace edt {

// How a layer is cut over tensor ranks. Outputs: each rank computes some of them. Inputs: each rank
// has some of them, and the partial results are to be summed before the bias is added.
enum class LinearCut { kNone, kOutputs, kInputs };

struct LinearOptions {
  Init init = Init::kXavierUniform;
  bool bias = true;
  LinearCut cut = LinearCut::kNone;
  int chunks = 1;  // of the outputs, each cut by itself
  WeightForm form = WeightForm::kDense;
  Init scale = Init::kMeanMagnitude;  // of a ternary weight
};

struct Linear {
  Parameter* weight = nullptr;
  Parameter* bias = nullptr;  // nullptr: none

  // Parameters `prefix`.weight [out, in] and `prefix`.bias [out]; of a ternary weight also
  // `prefix`.alphas [1].
  static Linear make(ParameterList& list, const std::string& prefix, std::int64_t out,
                     std::int64_t in, const LinearOptions& options = {});
  Var operator()(Tape& tape, const Var& x, const Tensor& positions = {}) const {
    return linear(tape, x, *weight, bias, positions);
  }
};

// The part of a block between a column-cut and a row-cut product: attention by heads, or the MLP.
struct ParallelBranch {
  TensorGroup ranks;
  std::string input_label, output_label;

  static ParallelBranch make(ParameterList& list, const std::string& prefix);
  // The input of the first product; its gradient is summed over the ranks.
  Var enter(Tape& tape, const Var& x) const;
  // The bias that the last product may add itself.
  Parameter* bias_inside(Parameter* bias) const { return ranks.single() ? bias : nullptr; }
  // Sums the results of the last product and adds the bias that it has not added.
  Var leave(Tape& tape, const Var& partial, Parameter& bias) const;
};

}  // namespace edt
