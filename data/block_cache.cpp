#include "data/block_cache.h"

namespace edt::data {

BlockCache::Block BlockCache::get(const void* array, std::uint64_t block, std::uint64_t bytes,
                                  const Decode& decode) {
  const Key key{array, block};
  {
    const std::lock_guard lock(mutex_);
    if (const auto place = places_.find(key); place != places_.end()) {
      entries_.splice(entries_.begin(), entries_, place->second);
      return entries_.front().block;
    }
    make_room(bytes);  // before it is taken: the bound holds also while a block is decoded
  }
  auto decoded = std::make_shared<std::vector<std::byte>>(bytes);
  decode(*decoded);
  const std::lock_guard lock(mutex_);
  // Another thread may have decoded the same block, or others, meanwhile.
  if (bytes > bound_ || places_.contains(key)) return decoded;
  make_room(bytes);
  entries_.push_front({key, decoded});
  places_[key] = entries_.begin();
  bytes_ += bytes;
  return decoded;
}

void BlockCache::make_room(std::uint64_t bytes) {
  while (!entries_.empty() && bytes_ + bytes > bound_) {
    bytes_ -= entries_.back().block->size();
    places_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

std::uint64_t BlockCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace edt::data
