// Samples [begin, end) of a batch as a batch of its own, and two batches as one: parts of a model
// that the passes of an objective go through apart, and parts that they share.
#pragma once

#include "core/autograd/tape.h"

namespace edt {

// x [B, ...] -> [end - begin, ...]
Var take_rows(Tape& tape, const Var& x, std::int64_t begin, std::int64_t end);
// a [A, ...], b [B, ...] -> [A + B, ...]
Var join_rows(Tape& tape, const Var& a, const Var& b);

}  // namespace edt
