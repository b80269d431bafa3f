// How fast this machine's memory can be read.
#pragma once

#include <cstdint>
#include <vector>

namespace edt {

// Of 256 MiB, more than caches hold.
class CpuReadRate {
 public:
  CpuReadRate();
  // Bytes each second that all threads read together; some 20 ms.
  double measure();

 private:
  std::vector<std::uint64_t> words_;
  std::uint64_t sum_ = 0;  // keeps the reads alive
};

}  // namespace edt
