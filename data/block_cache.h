// Decoded blocks of samples, as many as fit into a bound: of arrays that HDF5 decodes chunk by
// chunk, so that a sample in random order would cost a whole chunk each time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace edt::data {

inline constexpr std::uint64_t kDefaultCacheBytes = std::uint64_t{256} << 20;

class BlockCache {
 public:
  using Block = std::shared_ptr<const std::vector<std::byte>>;
  // Fills a block of the size asked for.
  using Decode = std::function<void(std::vector<std::byte>&)>;

  explicit BlockCache(std::uint64_t bytes) : bound_(bytes) {}

  std::uint64_t bound() const { return bound_; }
  // Block `block` of `array`, which `decode` fills unless it is kept. Those used longest ago leave
  // when the bound is reached. Safe to call from several threads.
  Block get(const void* array, std::uint64_t block, std::uint64_t bytes, const Decode& decode);

  std::uint64_t bytes() const;  // kept at present

 private:
  using Key = std::pair<const void*, std::uint64_t>;
  struct Entry {
    Key key;
    Block block;
  };
  void make_room(std::uint64_t bytes);

  const std::uint64_t bound_;
  mutable std::mutex mutex_;
  std::uint64_t bytes_ = 0;
  std::list<Entry> entries_;  // used last first
  std::map<Key, std::list<Entry>::iterator> places_;
};

}  // namespace edt::data
