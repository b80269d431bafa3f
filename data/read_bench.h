// How fast samples come from shards in random order, against a plain sequential read of the bytes,
// and what the machine's memory allows.
#pragma once

#include <cstdint>
#include <filesystem>

namespace edt::data {

struct ReadBenchOptions {
  std::uint64_t seed = 0;
  std::size_t batch = 32;
  double seconds = 2;  // at least, for each measurement
};

// Samples per second, medians over passes through the whole data set.
struct ReadBench {
  std::uint64_t samples = 0;  // in the data set
  std::uint64_t sample_bytes = 0;
  double random = 0;           // decoded to float32, checked for NaN, shuffled, in batches
  double in_order = 0;         // the same work in file order
  double sequential = 0;       // read() of the same bytes in file order, 1 MiB at a time
  double random_copy = 0;      // memcpy of mapped samples in random order, nothing else
  double sequential_copy = 0;  // the same in file order
  // Medians of what the passes of one round give.
  double ratio = 0;       // random to sequential
  double copy_ratio = 0;  // random_copy to sequential: no reader that copies once does better
};

// All take turns, so that a machine whose speed drifts favours none. The first round is not
// counted: it brings the data into the page cache if they fit there, and verifies checksums.
ReadBench bench_reads(const std::filesystem::path& path, const ReadBenchOptions& options = {});

}  // namespace edt::data
