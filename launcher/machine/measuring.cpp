#include "launcher/machine/measuring.h"

#include <omp.h>
#include <time.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "core/base/clock.h"

namespace edt {

double seconds_of(const std::function<void()>& work) {
  const auto begin = Clock::now();
  work();
  return seconds_since(begin);
}

double seconds_of(BenchClock clock, const std::function<void()>& work) {
  if (clock == BenchClock::kWall) return seconds_of(work);
  const auto processor_seconds = [] {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  };
  const double begin = processor_seconds();
  work();
  return (processor_seconds() - begin) / omp_get_max_threads();
}

namespace {

// A field of /proc/self/status that is in kB.
std::size_t status_bytes(const char* format) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    std::size_t kilobytes = 0;
    if (std::sscanf(line.c_str(), format, &kilobytes) == 1) return kilobytes * 1024;
  }
  return 0;
}

}  // namespace

std::size_t resident_bytes() { return status_bytes("RssAnon: %zu kB"); }

std::size_t process_bytes() { return status_bytes("VmRSS: %zu kB"); }

}  // namespace edt
