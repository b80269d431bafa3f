// Ranks as threads of one process: what tests run on, with real concurrency and the collectives
// that MPI ranks use.
#pragma once

#include <functional>

#include "parallel/comm/p2p_communicator.h"

namespace edt {

// Runs `body` on `count` threads, each with its rank's communicator. An exception in one of them
// ends the collectives of the others with CommunicationError, and is rethrown here.
void run_ranks(int count, const std::function<void(Communicator&)>& body,
               const TransportOptions& options = {});

}  // namespace edt
