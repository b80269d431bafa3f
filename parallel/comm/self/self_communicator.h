// The communicator of a program that runs alone: every collective is the identity.
#pragma once

#include "parallel/comm/communicator.h"

namespace edt {

std::unique_ptr<Communicator> make_self_communicator();

}  // namespace edt
