// Reductions over the complete binary tree whose leaves are the ranks in order. Recursive halving
// with distances 1, 2, 4, ...: in round k a rank meets the one whose number differs in bit k, gives
// it the parts whose bit k is the other's and adds what it receives to those that it keeps. So part
// r ends at rank r, and is ((0+1)+(2+3))+((4+5)+(6+7)).
//
// n ranks, 2^k < n < 2^(k+1): rank 2^k + i first adds all it has to rank i, and gets its part (or
// the result) from it in the end.
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

void tree_reduce_scatter(PipelinedSendRecv& flow, RankOf self, const Parts& parts, Reduce reduce,
                         Wire wire);

// For few bytes (one message): every rank adds everything, over the same tree.
void tree_all_reduce(PipelinedSendRecv& flow, RankOf self, const Tensor& tensor, Reduce reduce);

// Recursive doubling, the reduce-scatter backwards, for powers of two; else a ring.
void gather_parts(PipelinedSendRecv& flow, RankOf self, const Parts& parts);

}  // namespace edt
