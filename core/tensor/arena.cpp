#include "core/tensor/arena.h"

#include <algorithm>

namespace edt {
namespace {

std::size_t round_up(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

Arena::Arena(Memory& memory, std::size_t slab_bytes) : memory_(memory), slab_bytes_(slab_bytes) {}

Arena::Slab::Slab(Memory& memory, std::size_t bytes, std::pmr::memory_resource* nodes)
    : block(memory, bytes), free(nodes), free_by_size(nodes) {
  insert(static_cast<Address>(block.data()), bytes);
}

void Arena::Slab::insert(Address begin, std::size_t size) {
  free.emplace(begin, size);
  free_by_size.emplace(size, begin);
}

void Arena::Slab::erase(Free::iterator block_at) {
  free_by_size.erase({block_at->second, block_at->first});
  free.erase(block_at);
}

Arena::Slab& Arena::slab_with_room(std::size_t bytes) {
  for (Slab& slab : slabs_) {
    if (!slab.free_by_size.empty() && slab.free_by_size.rbegin()->first >= bytes) return slab;
  }
  const std::size_t size = round_up(std::max(bytes, slab_bytes_), std::size_t{2} << 20);
  slabs_.emplace_back(memory_, size, &nodes_);
  reserved_ += size;
  return slabs_.back();
}

void* Arena::allocate(std::size_t bytes) {
  const std::size_t size = round_up(std::max<std::size_t>(bytes, 1), kAlignment);
  Slab& slab = slab_with_room(size);
  const auto [free_size, begin] = *slab.free_by_size.lower_bound({size, nullptr});
  slab.erase(slab.free.find(begin));
  if (free_size > size) slab.insert(begin + size, free_size - size);
  used_.emplace(begin, Used{size, &slab});
  in_use_ += size;
  peak_ = std::max(peak_, in_use_);
  return begin;
}

void Arena::release(void* memory) {
  const auto used = used_.find(static_cast<Address>(memory));
  EDT_ASSERT(used != used_.end());
  auto [size, slab] = used->second;
  Address begin = used->first;
  used_.erase(used);
  in_use_ -= size;
  auto next = slab->free.lower_bound(begin);
  if (next != slab->free.end() && begin + size == next->first) {
    size += next->second;
    slab->erase(next++);
  }
  if (next != slab->free.begin()) {
    const auto previous = std::prev(next);
    if (previous->first + previous->second == begin) {
      begin = previous->first;
      size += previous->second;
      slab->erase(previous);
    }
  }
  slab->insert(begin, size);
}

Tensor Arena::make(const Shape& shape, DType dtype) {
  Tensor tensor{nullptr, shape, dtype};
  tensor.data = allocate(tensor.bytes());
  return tensor;
}

}  // namespace edt
