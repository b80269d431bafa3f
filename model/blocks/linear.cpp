#include "model/blocks/linear.h"

namespace edt {

Linear Linear::make(ParameterList& list, const std::string& prefix, std::int64_t out,
                    std::int64_t in, const LinearOptions& options) {
  TensorCut weight_cut, bias_cut;
  if (options.cut == LinearCut::kOutputs) weight_cut = bias_cut = TensorCut::rows(options.chunks);
  if (options.cut == LinearCut::kInputs) weight_cut = TensorCut::columns();
  Linear made;
  made.weight = &list.add(prefix + ".weight", {out, in}, options.init, weight_cut);
  if (options.form == WeightForm::kTernary) {
    list.make_ternary(*made.weight, prefix + ".alphas", options.scale);
  }
  if (options.bias) made.bias = &list.add(prefix + ".bias", {out}, Init::kZero, bias_cut);
  return made;
}

ParallelBranch ParallelBranch::make(ParameterList& list, const std::string& prefix) {
  return {list.tensor_ranks(), "gradient of the input of " + prefix, "output of " + prefix};
}

Var ParallelBranch::enter(Tape& tape, const Var& x) const {
  return copy_to_tensor_ranks(tape, x, ranks, input_label);
}

Var ParallelBranch::leave(Tape& tape, const Var& partial, Parameter& bias) const {
  if (ranks.single()) return partial;
  return add_bias(tape, sum_over_tensor_ranks(tape, partial, ranks, output_label), bias);
}

}  // namespace edt
