// What benchmarks measure with.
#pragma once

#include <cstddef>
#include <functional>

namespace edt {

double seconds_of(const std::function<void()>& work);

// Wall-clock time, or processor time of this process over its number of threads: what a step takes
// where other programs want the same cores.
enum class BenchClock { kWall, kProcessor };
double seconds_of(BenchClock clock, const std::function<void()>& work);

// Resident memory of this process that belongs to no file. Linux; 0 elsewhere.
std::size_t resident_bytes();

// The same with files and memory shared with other processes.
std::size_t process_bytes();

}  // namespace edt
