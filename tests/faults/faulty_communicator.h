// Ranks whose collectives give what faults let them (faults.cpp).
#pragma once

#include <memory>

#include "parallel/comm/communicator.h"

namespace edt::test {

// Over `ranks`, which it owns; so do all that are split from it. In host memory.
std::unique_ptr<Communicator> make_faulty_communicator(std::unique_ptr<Communicator> ranks);

}  // namespace edt::test
