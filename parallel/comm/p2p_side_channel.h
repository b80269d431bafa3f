// A side channel over point-to-point messages.
#pragma once

#include "parallel/comm/communicator.h"
#include "parallel/comm/transport.h"

namespace edt {

std::unique_ptr<SideChannel> make_p2p_side_channel(std::unique_ptr<Transport> transport);

}  // namespace edt
