// The bytes of the pictures of an index.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "data/pictures/archive.h"
#include "data/pictures/index.h"

namespace edt::data {

class PictureReader {
 public:
  // `index` outlives the reader.
  explicit PictureReader(const PictureIndex& index);

  // False: pictures are to be read in their order, one at a time.
  bool any_order() const { return any_order_; }
  // Safe in several threads where any_order(). DataError or SystemError where it cannot be read.
  std::vector<std::byte> read(const PictureEntry& entry);

 private:
  std::shared_ptr<Archive> archive(std::uint32_t source);

  const PictureIndex& index_;
  bool any_order_ = true;
  std::mutex mutex_;
  // The archives that were read last: a set may have thousands.
  std::deque<std::pair<std::uint32_t, std::shared_ptr<Archive>>> open_;
};

}  // namespace edt::data
