// How fast samples come from shards in random order, against a plain sequential read of the bytes.
#pragma once

#include <cstdint>
#include <filesystem>

namespace edt::data {

struct ReadBenchOptions {
  std::uint64_t seed = 0;
  std::size_t batch = 32;
  double seconds = 2;  // at least, for each measurement
};

struct ReadBench {
  std::uint64_t samples = 0;  // in the data set
  std::uint64_t sample_bytes = 0;
  double random_samples_per_s = 0;      // decoded to float32, checked for NaN, shuffled, in batches
  double in_order_samples_per_s = 0;    // the same work in file order
  double sequential_samples_per_s = 0;  // read() of the same bytes in file order, 1 MiB at a time
  double ratio() const { return random_samples_per_s / sequential_samples_per_s; }
  double order_ratio() const { return random_samples_per_s / in_order_samples_per_s; }
};

// Each reads the whole data set once before it is timed, so all find it in the page cache
// if it fits there, and block checksums are verified already.
ReadBench bench_reads(const std::filesystem::path& path, const ReadBenchOptions& options = {});

}  // namespace edt::data
