// Host memory that several ranks of one machine have in common.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/tensor/memory.h"
#include "parallel/comm/communicator.h"

namespace edt {

// Its reserve() is a collective of `ranks`, which outlives it: the same memory for all of them,
// zero-filled, there until the last of them has released it. Pages lie in the memory domain of the
// rank that first writes to them. UsageError, on all ranks, where they are on several machines, or
// one cannot reach the memory of the first.
std::unique_ptr<Memory> make_shared_memory(Communicator& ranks);

// The first of `hosts` that is not as the one before; empty: all are one.
std::string other_machine(const std::vector<std::string>& hosts);

}  // namespace edt
