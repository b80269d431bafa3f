// Communicators for tensors in the memory of a device, as its work needs them: a collective comes
// after what the device was asked for before it, and before what it is asked for later.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/tensor/device.h"
#include "parallel/comm/communicator.h"

namespace edt {

// The same ranks, for tensors of `device`, which outlives it. Host memory: a split of `ranks`.
// GPUs: NCCL, where its plugin is installed and no two ranks share a GPU; else through host memory.
// UsageError on all ranks where the plugin does not load on one. All ranks call it. (parallel/nccl,
// for programs parallel/nccl_plugin)
std::unique_ptr<Communicator> communicator_for(Device& device, Communicator& ranks,
                                               std::string_view label);

// Why NCCL is not there, in one line; empty: it is.
std::string nccl_absence();

// Over `ranks`, which it owns, through host memory: waits for the device in every collective.
std::unique_ptr<Communicator> make_staged_communicator(Device& device,
                                                       std::unique_ptr<Communicator> ranks);

}  // namespace edt
