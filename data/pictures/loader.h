// Pictures read, decoded and cropped by threads that run ahead of who takes them, in order.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/image/decode.h"
#include "data/pictures/reader.h"

namespace edt::data {

// Entries first ... first + count - 1 of an index.
struct PictureRange {
  std::uint64_t first = 0, count = 0;
};

struct LoadedPicture {
  std::uint64_t index = 0;
  std::int32_t label = 0;
  std::vector<std::uint8_t> pixels;   // [size, size, 3]; empty where there is no size
  std::optional<std::string> broken;  // why it cannot be decoded
};

struct LoadSettings {
  int size = 0;  // of the centre crop; 0: pictures are decoded only, to see whether they can be
  DecodeOptions decode;
  int threads = 1;
  std::size_t ahead = 16;  // pictures that are held
};

class PictureLoader {
 public:
  // `index` outlives the loader.
  PictureLoader(const PictureIndex& index, std::vector<PictureRange> ranges,
                const LoadSettings& settings);
  ~PictureLoader();
  PictureLoader(const PictureLoader&) = delete;
  PictureLoader& operator=(const PictureLoader&) = delete;

  std::uint64_t size() const { return total_; }
  // The next picture, valid until the next call. Rethrows what has ended a thread.
  const LoadedPicture& next();
  // Time next() has spent waiting.
  double seconds_waited() const { return seconds_waited_; }

 private:
  struct Slot {
    LoadedPicture picture;
    bool is_ready = false;
    std::exception_ptr error;
  };

  void run();
  std::optional<std::uint64_t> take_turn();
  std::uint64_t index_of(std::uint64_t turn) const;
  void load(LoadedPicture& picture, std::unique_lock<std::mutex>& order);

  const PictureIndex& index_;
  PictureReader reader_;
  std::vector<PictureRange> ranges_;
  std::vector<std::uint64_t> begin_;  // turn of the first of each range
  LoadSettings settings_;
  std::uint64_t total_ = 0;

  std::mutex order_;  // held from taking a turn until its bytes are read, where that is needed
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Slot> ring_;
  std::uint64_t taken_ = 0;  // turns that threads have taken
  std::uint64_t given_ = 0;  // pictures that next() has given; the last is still in use
  bool stop_ = false;
  double seconds_waited_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace edt::data
