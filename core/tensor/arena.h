// The memory of one training step. Blocks are handed out best-fit from a few slabs, so a step that
// allocates and releases in the same order as the step before gets the same addresses, and after
// the first step no slab is added: the steady state allocates nothing.
#pragma once

#include <cstddef>
#include <map>
#include <memory_resource>
#include <set>
#include <vector>

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
  void add_slab(std::size_t bytes);
  void insert_free(Address begin, std::size_t bytes);
  void erase_free(std::pmr::map<Address, std::size_t>::iterator block);

  Memory& memory_;
  std::size_t slab_bytes_;
  std::vector<Block> slabs_;
  std::pmr::unsynchronized_pool_resource nodes_;       // recycles the nodes of the maps below
  std::pmr::set<Address> slab_begins_{&nodes_};        // free blocks of two slabs never merge
  std::pmr::map<Address, std::size_t> free_{&nodes_};  // by address, to merge neighbours
  std::pmr::set<std::pair<std::size_t, Address>> free_by_size_{&nodes_};
  std::pmr::map<Address, std::size_t> used_{&nodes_};
  std::size_t in_use_ = 0, peak_ = 0, reserved_ = 0;
};

}  // namespace edt
