// Our collectives and the MPI library's, in turn on the same buffers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "parallel/comm/communicator.h"

namespace edt {

class PlainCollectives;

struct CommBenchOptions {
  std::vector<std::string> collectives{"all_reduce", "reduce_scatter", "all_gather", "broadcast",
                                       "barrier"};
  std::vector<std::int64_t> sizes{4,         64,      1 << 10,  16 << 10,
                                  256 << 10, 4 << 20, 64 << 20, 256 << 20};  // bytes of the whole
  DType dtype = DType::kFloat32;
  int rounds = 9;
};

struct CommTiming {
  double seconds = 0, fastest = 0, slowest = 0;  // of one call on the slowest rank; over the rounds
};

struct CommBenchLine {
  std::string collective;
  std::size_t bytes = 0;
  double bus_factor = 1;  // bytes each rank has to send, over `bytes`
  CommTiming ours;
  std::optional<CommTiming> plain;
  double ratio = 0;  // our speed over MPI's: median over rounds

  double bandwidth(const CommTiming& timing) const {
    return static_cast<double>(bytes) / timing.seconds;
  }
};

// All ranks together; all get the same numbers. `plain` may be null.
std::vector<CommBenchLine> run_comm_bench(const CommBenchOptions& options, Communicator& ranks,
                                          PlainCollectives* plain);

}  // namespace edt
