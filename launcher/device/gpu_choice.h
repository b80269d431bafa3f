// Which GPU a rank takes: by its place among the ranks of its node.
#pragma once

#include <string>
#include <vector>

#include "parallel/comm/communicator.h"

namespace edt {

// What one rank sees: GPUs are named by their place on the bus, the same from every process.
struct RankGpus {
  std::string host;
  std::vector<std::string> gpus;
  std::string absence;  // why there are none
};

// Index of the GPU of rank `rank` among those it sees. A rank that sees one GPU of its own (a
// launcher that binds GPUs to ranks) takes it. UsageError where a rank would get none, or one that
// another rank has too and `share` is off.
int choose_gpu(const std::vector<RankGpus>& ranks, int rank, bool share);

// The same for the ranks of `world`, which all call it.
int choose_gpu(Communicator& world, bool share);

}  // namespace edt
