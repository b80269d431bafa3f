#include "data/prefetcher.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/span.h"

namespace edt::data {

void read_samples(const Dataset& dataset, std::uint64_t seed, ReadScratch& scratch, Batch& batch) {
  const std::size_t size = batch.samples.size();
  batch.labels.resize(size);
  batch.latents.resize(size * dataset.description().latent_elements());
  dataset.read(batch.samples, seed, scratch, batch.latents, batch.labels);
  batch.arrays.resize(dataset.arrays().size());
  for (std::size_t i = 0; i < batch.arrays.size(); ++i) {
    batch.arrays[i].resize(size * dataset.arrays()[i].elements);
    dataset.read_array(i, batch.samples, scratch, batch.arrays[i]);
  }
}

void read_batch(const Dataset& dataset, SampleOrder& order, ReadScratch& scratch, Batch& batch) {
  const std::size_t size = batch.positions.size();
  const Span span({.kind = SpanKind::kIo,
                   .name = "read batch",
                   .bytes = static_cast<double>(size * dataset.read_bytes())});
  batch.samples.resize(size);
  for (std::size_t i = 0; i < size; ++i) batch.samples[i] = order.at(batch.positions[i]);
  read_samples(dataset, order.seed(), scratch, batch);
}

Prefetcher::Prefetcher(const Dataset& dataset, SampleOrder order, std::size_t batch_size,
                       BatchPlan plan, std::uint64_t first, std::size_t depth)
    : dataset_(dataset),
      order_(std::move(order)),
      plan_(std::move(plan)),
      ring_(depth + 1),  // one is in use
      read_(first),
      taken_(first) {
  require<UsageError>(batch_size >= 1 && depth >= 1, "data", "batches of {} samples, {} prefetched",
                      batch_size, depth);
  for (Batch& batch : ring_) batch.positions.resize(batch_size);
  thread_ = std::thread([this] { run(); });
}

Prefetcher::~Prefetcher() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Prefetcher::run() {
  name_span_thread("reader");
  ReadScratch scratch;
  std::unique_lock lock(mutex_);
  while (true) {
    // The slot of batch taken_ - 1 stays untouched while the consumer holds it.
    changed_.wait(lock,
                  [this] { return stop_ || read_ - taken_ + (holding_ ? 1 : 0) < ring_.size(); });
    if (stop_) return;
    const std::uint64_t number = read_;
    lock.unlock();
    std::exception_ptr error;
    try {
      Batch& batch = ring_[number % ring_.size()];
      batch.number = number;
      plan_(number, batch.positions);
      read_batch(dataset_, order_, scratch, batch);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    error_ = error;
    if (!error) ++read_;
    changed_.notify_all();
    if (error) return;
  }
}

const Batch& Prefetcher::next() {
  std::unique_lock lock(mutex_);
  holding_ = false;
  changed_.notify_all();
  const Span span({.kind = SpanKind::kCompute, .name = "wait for data"});
  const auto begin = Clock::now();
  changed_.wait(lock, [this] { return read_ > taken_ || error_; });
  seconds_waited_ += seconds_since(begin);
  if (read_ == taken_) std::rethrow_exception(error_);
  holding_ = true;
  return ring_[taken_++ % ring_.size()];
}

}  // namespace edt::data
