// Several copies of a batch, one after the other: both passes of a masked objective from one
// prefix.
#pragma once

#include "core/autograd/tape.h"

namespace edt {

// x [B, ...] -> [times * B, ...]; the gradient is the sum over the copies, in order.
Var repeat_batch(Tape& tape, const Var& x, std::int64_t times);

}  // namespace edt
