// How fast samples come from shards in random order, against a plain sequential read of the bytes,
// and what the machine's memory allows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/block_cache.h"
#include "data/progress.h"

namespace edt::data {

struct ReadBenchOptions {
  std::uint64_t seed = 0;
  std::size_t batch = 32;
  double seconds = 2;  // for each of five measurements, and at most as long before they count
  std::uint64_t cache_bytes = kDefaultCacheBytes;
  std::vector<std::string> arrays = {};  // that are read beside the latents
};

// Samples per second, medians over turns.
struct ReadBench {
  std::uint64_t samples = 0;         // in the data set
  std::uint64_t sample_bytes = 0;    // of its latents and what is read beside them
  std::uint64_t random_samples = 0;  // that were read in random order
  double random = 0;                 // decoded to float32, checked for NaN, shuffled, in batches
  double in_order = 0;               // the same work in file order
  double sequential = 0;             // read() of the same bytes in file order, 1 MiB at a time
  double random_copy = 0;            // memcpy of mapped samples in random order, nothing else
  double sequential_copy = 0;        // the same in file order
  // Medians of what the turns of one round give.
  double ratio = 0;         // random to sequential
  double copy_ratio = 0;    // random_copy to sequential: no reader that copies once does better
  std::string slow_layout;  // Dataset::slow_layout
};

// All take turns, so that a machine whose speed drifts favours none. The first round is not
// counted: it brings the data into the page cache if they fit there, and verifies checksums. A
// large set is read in part only, so that the time is bounded. `progress` counts turns.
ReadBench bench_reads(const std::filesystem::path& path, const ReadBenchOptions& options = {},
                      const Progress& progress = {});

}  // namespace edt::data
