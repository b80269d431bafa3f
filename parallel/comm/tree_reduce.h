// Reductions over a tree whose leaves are the ranks in order. n ranks are m groups of 2^k
// neighbours, m odd (rank_groups.h): first each group sums over the complete binary tree of its
// ranks, then the groups' sums are added from left to right. 8 ranks: ((0+1)+(2+3))+((4+5)+(6+7));
// 6: ((0+1)+(2+3))+(4+5).
//
// Within groups by recursive halving with distances 1, 2, 4, ...: in round k a rank meets the one
// whose number differs in bit k, gives it the parts whose bit k is the other's and adds what it
// receives to those that it keeps. Then it has sums of its group for itself and its counterparts,
// gives each of these its part, and adds what it gets to its own. With a wire that rounds once
// (wire.h) each rank gives every other one its part at once, and adds from left to right.
#pragma once

#include "parallel/comm/pipelined_sendrecv.h"

namespace edt {

// A tensor cut into one part per rank.
struct Parts {
  Tensor whole;
  std::span<const std::int64_t> bounds;

  Chunk part(int rank) const;
  // The parts r of ranks [0, size) with r = rank modulo `stride`.
  std::vector<Chunk> every(int stride, int rank) const;
};

struct RankOf {
  int rank, size;
};

struct Summation {
  DType dtype = DType::kFloat32;
  Reduce reduce = Reduce::kSum;
  Wire wire = Wire::kExact;
};

void tree_reduce_scatter(PipelinedSendRecv& flow, RankOf self, const Parts& parts, Reduce reduce,
                         Wire wire);
// Its two halves. `parts`: what there is for each group's counterpart of this rank, and for itself;
// `onto`, which may be empty, is the leftmost term of the latter.
void reduce_within_groups(PipelinedSendRecv& flow, RankOf self, const Parts& parts, Reduce reduce,
                          Wire wire);
void fold_over_groups(PipelinedSendRecv& flow, RankOf self, const Summation& sum,
                      std::span<const Chunk> parts, Chunk onto);

// For few bytes (one message): every rank adds everything, over the same tree.
void tree_all_reduce(PipelinedSendRecv& flow, RankOf self, const Tensor& tensor, Reduce reduce);

// The reduce-scatter backwards: from the counterparts, then recursive doubling within the group.
void gather_parts(PipelinedSendRecv& flow, RankOf self, const Parts& parts);

}  // namespace edt
