// How fast this machine's memory can be read.
#pragma once

#include <cstdint>
#include <memory>

namespace edt {

// Of 512 MiB, more than the caches of most machines, each thread's part in memory of its own node.
class CpuReadRate {
 public:
  CpuReadRate();
  // Bytes each second that all threads read together; some 40 ms.
  double measure();

 private:
  std::unique_ptr<std::uint64_t[]> words_;
  std::uint64_t sum_ = 0;  // keeps the reads alive
};

}  // namespace edt
