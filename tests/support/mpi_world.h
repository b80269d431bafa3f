// Tests that run under mpirun (edt_mpi_test): every rank runs every test.
#pragma once

#include "parallel/comm/communicator.h"

namespace edt::test {

// All ranks, with a time-out of one minute.
Communicator& mpi_world();

}  // namespace edt::test
