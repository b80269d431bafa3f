#include "model/blocks/compressed_attention.h"

#include <cmath>

namespace edt {
namespace {

// Within 1 / sqrt(inputs of an output), as PyTorch's convolutions begin.
CompressedAttention::Convolution make_convolution(ParameterList& list, const std::string& prefix,
                                                  const Shape& weight, TensorCut cut = {}) {
  const std::int64_t inputs = weight.elements() / weight[0];
  const double bound = 1 / std::sqrt(static_cast<double>(inputs));
  return {&list.add_drawn(prefix + ".weight", weight, Init::kUniform, bound, cut),
          &list.add(prefix + ".bias", {weight[0]}, Init::kZero, cut)};
}

}  // namespace

CompressedAttention CompressedAttention::make(ParameterList& list, const std::string& prefix,
                                              const Sizes& sizes,
                                              const LinearAttentionConfig& config) {
  const std::int64_t width = sizes.width, narrow = width / config.narrowing;
  const LinearOptions outputs{.cut = LinearCut::kOutputs, .form = sizes.weights};
  CompressedAttention made;
  made.grid = sizes.grid;
  made.heads = sizes.heads / list.tensor_ranks().size();
  made.config = config;
  made.narrow = make_convolution(list, prefix + ".query.conv1", {narrow, width, 3, 3});
  made.norm_weight = &list.add(prefix + ".query.norm.weight", {narrow}, Init::kOne);
  made.norm_bias = &list.add(prefix + ".query.norm.bias", {narrow}, Init::kZero);
  const Convolution second = make_convolution(list, prefix + ".query.conv2", {width, narrow, 1, 1});
  made.widen = {second.weight, second.bias};
  made.query = Linear::make(list, prefix + ".query.linear", width, width, outputs);
  made.key = Linear::make(list, prefix + ".key.linear", width, width, outputs);
  made.key_grid =
      make_convolution(list, prefix + ".key.conv", {width, 1, 3, 3}, TensorCut::rows(1));
  made.value = Linear::make(list, prefix + ".value.linear", width, width, outputs);
  made.value_grid =
      make_convolution(list, prefix + ".value.conv", {width, 1, 3, 3}, TensorCut::rows(1));
  made.projection = Linear::make(list, prefix + ".proj", width, width,
                                 {.cut = LinearCut::kInputs, .form = sizes.weights});
  made.branch = ParallelBranch::make(list, prefix);
  made.query_branch = ParallelBranch::make(list, prefix + ".query.linear");
  return made;
}

Var CompressedAttention::queries(Tape& tape, const Var& x) const {
  Var seen = token_convolution(tape, x, *narrow.weight, *narrow.bias, grid);
  seen = token_group_norm(tape, seen, *norm_weight, *norm_bias, config.groups);
  seen = add(tape, x, widen(tape, seen));
  return query(tape, query_branch.enter(tape, seen));
}

Var CompressedAttention::coarse(Tape& tape, const Var& entered, const Linear& map,
                                const Convolution& kernel) const {
  return depthwise_convolution(tape, map(tape, entered), *kernel.weight, *kernel.bias, grid,
                               config.stride);
}

Var CompressedAttention::operator()(Tape& tape, const Var& x) const {
  const Var q = queries(tape, x), entered = branch.enter(tape, x);
  const Var k = coarse(tape, entered, key, key_grid), v = coarse(tape, entered, value, value_grid);
  const Var seen = kernel_attention(tape, q, k, v, heads);
  return branch.leave(tape,
                      linear(tape, seen, *projection.weight, branch.bias_inside(projection.bias)),
                      *projection.bias);
}

}  // namespace edt
