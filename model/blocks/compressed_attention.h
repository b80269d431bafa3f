// EDiT's compressed attention (Becker et al., arXiv 2503.16726): linear in the tokens. Queries see
// their neighbours through a small convolution network, keys and values stand on a coarser grid,
// and features take the place of a softmax (core/ops/kernel_attention.h):
//   Q = relu(Linear(X + Conv1x1(LeakyReLU(GroupNorm(Conv3x3(X)))))), the 3x3 narrowing channels
//   K = relu(S_k(X)), V = S_v(X), S(X) = depthwise Conv3x3 with a stride of Linear(X)
//   y_i = (q_i sum k_j^T v_j) / (q_i sum k_j) by heads, then a projection
#pragma once

#include "model/blocks/linear.h"
#include "model/config.h"

namespace edt {

struct CompressedAttention {
  // Of a 3 x 3 kernel.
  struct Convolution {
    Parameter *weight = nullptr, *bias = nullptr;
  };

  TokenGrid grid;
  std::int64_t heads = 0;  // of this rank
  LinearAttentionConfig config;
  Convolution narrow;  // of queries, [width / narrowing, width, 3, 3]
  Parameter *norm_weight = nullptr, *norm_bias = nullptr;
  Linear widen;  // [width, width / narrowing, 1, 1]
  Linear query, key, value, projection;
  Convolution key_grid, value_grid;  // depthwise
  ParallelBranch branch, query_branch;

  struct Sizes {
    std::int64_t width, heads;
    TokenGrid grid;
    WeightForm weights = WeightForm::kDense;  // of the maps that are not convolutions
  };
  // Parameters `prefix`.query.conv1, .query.norm, .query.conv2, .query.linear, .key.linear,
  // .key.conv, .value.linear, .value.conv and .proj. Over tensor ranks heads are cut; what queries
  // go through before their linear map all ranks have, and compute alike.
  static CompressedAttention make(ParameterList& list, const std::string& prefix,
                                  const Sizes& sizes, const LinearAttentionConfig& config);

  // x [B, T, width] on the whole grid -> [B, T, width]
  Var operator()(Tape& tape, const Var& x) const;

 private:
  Var queries(Tape& tape, const Var& x) const;
  Var coarse(Tape& tape, const Var& entered, const Linear& map, const Convolution& kernel) const;
};

}  // namespace edt
