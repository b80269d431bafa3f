// The memory of one training step. Blocks come best-fit out of the oldest slab that has room. A
// slab is added only when none has, and younger slabs never influence the choice, so a step that
// allocates and releases in the same order as the first gets the same addresses and adds no slab:
// the steady state allocates nothing.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <memory_resource>
#include <set>
#include <utility>

#include "core/tensor/memory.h"
#include "core/tensor/tensor.h"

namespace edt {

class Arena {
 public:
  static constexpr std::size_t kAlignment = 256;

  explicit Arena(Memory& memory, std::size_t slab_bytes = std::size_t{64} << 20);
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Uninitialised memory aligned to kAlignment; adds a slab when none fits.
  void* allocate(std::size_t bytes);
  void release(void* memory);
  Tensor make(const Shape& shape, DType dtype);

  std::size_t bytes_in_use() const { return in_use_; }
  std::size_t peak_bytes() const { return peak_; }
  std::size_t reserved_bytes() const { return reserved_; }
  void reset_peak() { peak_ = in_use_; }

 private:
  using Address = std::byte*;
  using Free = std::pmr::map<Address, std::size_t>;

  struct Slab {
    Slab(Memory& memory, std::size_t bytes, std::pmr::memory_resource* nodes);
    void insert(Address begin, std::size_t size);
    void erase(Free::iterator block);

    Block block;
    Free free;  // by address, to merge neighbours
    std::pmr::set<std::pair<std::size_t, Address>> free_by_size;
  };
  struct Used {
    std::size_t bytes;
    Slab* slab;
  };
  Slab& slab_with_room(std::size_t bytes);

  Memory& memory_;
  std::size_t slab_bytes_;
  std::pmr::unsynchronized_pool_resource nodes_;  // recycles the nodes of all maps
  std::list<Slab> slabs_;                         // oldest first
  std::pmr::map<Address, Used> used_{&nodes_};
  std::size_t in_use_ = 0, peak_ = 0, reserved_ = 0;
};

}  // namespace edt
