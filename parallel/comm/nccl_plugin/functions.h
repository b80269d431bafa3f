// What libedt_nccl.so offers: communicator_for() between GPUs.
#pragma once

#include "parallel/comm/device/device_communicator.h"

namespace edt {

struct NcclFunctions {
  decltype(&communicator_for) communicator;
};

}  // namespace edt
