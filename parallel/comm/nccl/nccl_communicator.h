// Collectives between GPUs over NCCL's send and receive. Sums are taken over the same tree as
// everywhere (parallel/comm/tree_reduce.h), so they have the same bits; NCCL's own reductions
// choose their order by size and topology.
#pragma once

#include <memory>

#include "core/tensor/device.h"
#include "parallel/comm/communicator.h"

namespace edt {

// Works in the order of `device`, a GPU or a stream of one; no two ranks share a GPU. `ranks`
// carries what is no tensor.
std::unique_ptr<Communicator> make_nccl_communicator(Device& device,
                                                     std::unique_ptr<Communicator> ranks);

}  // namespace edt
