// Letters over point-to-point messages.
#pragma once

#include "parallel/comm/communicator.h"
#include "parallel/comm/transport.h"

namespace edt {

std::unique_ptr<Mailbox> make_transport_mailbox(std::unique_ptr<Transport> transport);

}  // namespace edt
