// What every communicator must do, for ranks that are threads and for ranks that are processes.
#pragma once

#include "parallel/comm/communicator.h"

namespace edt::test {

// Each checks on every rank of `ranks`, with failures of GoogleTest.
void check_sums(Communicator& ranks);
void check_other_reductions(Communicator& ranks);
void check_parts(Communicator& ranks);
void check_groups(Communicator& ranks);
void check_bfloat16_wire(Communicator& ranks);
void check_wires_that_round_once(Communicator& ranks);
void check_gathers_and_broadcasts(Communicator& ranks);
void check_messages(Communicator& ranks);
void check_split(Communicator& ranks);
void check_side_channel(Communicator& ranks);
void check_timeout(Communicator& ranks);
void check_disagreement(Communicator& ranks);
void check_concurrent_communicators(Communicator& ranks);

}  // namespace edt::test
