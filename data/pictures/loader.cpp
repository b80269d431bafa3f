#include "data/pictures/loader.h"

#include <algorithm>

#include "core/base/assert.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/span.h"
#include "core/image/resample.h"
#include "core/storage/access.h"

namespace edt::data {

PictureLoader::PictureLoader(const PictureIndex& index, std::vector<PictureRange> ranges,
                             const LoadSettings& settings)
    : index_(index),
      reader_(index),
      ranges_(std::move(ranges)),
      settings_(settings),
      ring_(std::max<std::size_t>(settings.ahead, 1) + 1) {  // one is in use
  for (const PictureRange& range : ranges_) {
    begin_.push_back(total_);
    total_ += range.count;
  }
  for (int i = 0; i < std::max(settings.threads, 1); ++i) threads_.emplace_back([this] { run(); });
}

PictureLoader::~PictureLoader() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

std::uint64_t PictureLoader::index_of(std::uint64_t turn) const {
  const auto range = std::upper_bound(begin_.begin(), begin_.end(), turn) - begin_.begin() - 1;
  const auto r = static_cast<std::size_t>(range);
  return ranges_[r].first + turn - begin_[r];
}

// Nothing at the end of the work.
std::optional<std::uint64_t> PictureLoader::take_turn() {
  std::unique_lock lock(mutex_);
  const auto in_use = [this] { return taken_ - given_ + (given_ > 0 ? 1 : 0); };
  changed_.wait(lock, [&] { return stop_ || taken_ == total_ || in_use() < ring_.size(); });
  if (stop_ || taken_ == total_) return std::nullopt;
  return taken_++;
}

void PictureLoader::load(LoadedPicture& picture, std::unique_lock<std::mutex>& order) {
  const PictureEntry entry = index_.at(picture.index);
  picture.label = entry.label;
  picture.broken.reset();
  picture.pixels.clear();
  const std::string name = index_.name_of(entry);
  try {
    const std::vector<std::byte> bytes = reader_.read(entry);
    if (order.owns_lock()) order.unlock();
    Image image = decode_picture(bytes, name, settings_.decode);
    if (settings_.size > 0) picture.pixels = centre_crop(std::move(image), settings_.size).pixels;
  } catch (const PictureError& error) {
    picture.broken = error.reason();
  } catch (const DiskError&) {  // nothing is wrong with the picture: it is not to be left out
    throw;
  } catch (const DataError& error) {
    picture.broken = error.what();
  } catch (const SystemError& error) {
    picture.broken = error.what();
  }
}

void PictureLoader::run() {
  name_span_thread("pictures");
  while (true) {
    std::unique_lock order(order_, std::defer_lock);
    if (!reader_.any_order()) order.lock();
    const auto turn = take_turn();
    if (!turn) return;
    Slot& slot = ring_[*turn % ring_.size()];
    std::exception_ptr error;
    try {
      slot.picture.index = index_of(*turn);
      load(slot.picture, order);
    } catch (...) {
      error = std::current_exception();
    }
    {
      const std::lock_guard lock(mutex_);
      slot.error = error;
      slot.is_ready = true;
    }
    changed_.notify_all();
  }
}

const LoadedPicture& PictureLoader::next() {
  const Span span({.kind = SpanKind::kIo, .name = "wait for pictures"});
  const auto begin = Clock::now();
  std::unique_lock lock(mutex_);
  EDT_ASSERT(given_ < total_);
  if (given_ > 0) ring_[(given_ - 1) % ring_.size()].is_ready = false;
  Slot& slot = ring_[given_++ % ring_.size()];
  changed_.notify_all();
  changed_.wait(lock, [&] { return slot.is_ready; });
  seconds_waited_ += seconds_since(begin);
  if (slot.error) std::rethrow_exception(slot.error);
  return slot.picture;
}

}  // namespace edt::data
