#include "model/blocks/linear.h"

#include <cmath>

namespace edt {

Linear Linear::make(ParameterList& list, const std::string& prefix, std::int64_t out,
                    std::int64_t in, const LinearOptions& options) {
  TensorCut weight_cut, bias_cut;
  if (options.cut == LinearCut::kOutputs) weight_cut = bias_cut = TensorCut::rows(options.chunks);
  if (options.cut == LinearCut::kInputs) weight_cut = TensorCut::columns();
  Linear made;
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  Shape shape{out, in};
  if (options.is_convolution) shape = {out, in, 1, 1};
  made.weight = &list.add_drawn(prefix + ".weight", shape, options.init, bound, weight_cut);
  if (options.form == WeightForm::kTernary) {
    list.make_ternary(*made.weight, prefix + ".alphas", options.scale);
  }
  if (options.bias) {
    const Init init = options.init == Init::kUniform ? Init::kUniform : Init::kZero;
    made.bias = &list.add_drawn(prefix + ".bias", {out}, init, bound, bias_cut);
  }
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
