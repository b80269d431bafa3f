// Every collective of Communicator over point-to-point messages.
#pragma once

#include "parallel/comm/pipelined_sendrecv.h"

namespace edt {

struct TransportOptions {
  FlowLimits flow;
  // An all_reduce of at most as many bytes is sent whole at each step; above, it is a
  // reduce_scatter and an all_gather. At most flow.message_bytes. The bits are the same.
  std::size_t whole_bytes = 16 << 10;
  // Of all communicators that are split from the first one.
  std::shared_ptr<WaitHook> hook;
};

std::unique_ptr<Communicator> make_transport_communicator(std::unique_ptr<Transport> transport,
                                                          const TransportOptions& options = {});

}  // namespace edt
