// Messages over MPI. Seen inside this folder only.
#pragma once

#include "parallel/comm/mpi/mpi_check.h"

namespace edt {

std::unique_ptr<Transport> make_mpi_transport(std::shared_ptr<MpiGroup> group);

}  // namespace edt
