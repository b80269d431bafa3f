// Reads the next batches on one thread while the current one is in use. A batch is a list of global
// positions, so the same data set serves the micro-batches of any rank.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "data/dataset.h"

namespace edt::data {

struct Batch {
  std::uint64_t number = 0;
  std::vector<std::uint64_t> positions;
  std::vector<SampleRef> samples;
  std::vector<float> latents;  // [B, C, H, W]
  std::vector<std::int32_t> labels;
  std::vector<std::vector<float>> arrays;  // of those the data set was asked for, [B, ...]
};

// Fills in the global positions of batch `number`. Called from the reading thread.
using BatchPlan = std::function<void(std::uint64_t number, std::span<std::uint64_t> positions)>;

// Fills the rest of a batch whose samples are known.
void read_samples(const Dataset& dataset, std::uint64_t seed, ReadScratch& scratch, Batch& batch);

// Fills one batch; what the prefetcher does, for callers without a thread.
void read_batch(const Dataset& dataset, SampleOrder& order, ReadScratch& scratch, Batch& batch);

class Prefetcher {
 public:
  // `dataset` outlives the prefetcher. Batches count from `first`; `depth` of them are held.
  Prefetcher(const Dataset& dataset, SampleOrder order, std::size_t batch_size, BatchPlan plan,
             std::uint64_t first = 0, std::size_t depth = 4);
  ~Prefetcher();
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;

  // The next batch, valid until the next call. Rethrows what went wrong while reading it.
  const Batch& next();

  // Time next() has spent waiting for the reader.
  double seconds_waited() const { return seconds_waited_; }

 private:
  void run();

  const Dataset& dataset_;
  SampleOrder order_;
  BatchPlan plan_;
  std::vector<Batch> ring_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t read_;    // batches finished by the reader
  std::uint64_t taken_;   // batches handed out
  bool holding_ = false;  // batch taken_ - 1 is in use
  bool stop_ = false;
  std::exception_ptr error_;  // struck while reading batch read_

  double seconds_waited_ = 0;
  std::thread thread_;
};

}  // namespace edt::data
