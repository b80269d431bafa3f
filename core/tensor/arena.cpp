#include "core/tensor/arena.h"

#include <algorithm>

namespace edt {
namespace {

std::size_t round_up(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

Arena::Arena(Memory& memory, std::size_t slab_bytes) : memory_(memory), slab_bytes_(slab_bytes) {}

void Arena::add_slab(std::size_t bytes) {
  const std::size_t size = round_up(std::max(bytes, slab_bytes_), std::size_t{2} << 20);
  slabs_.emplace_back(memory_, size);
  reserved_ += size;
  auto* begin = static_cast<Address>(slabs_.back().data());
  slab_begins_.insert(begin);
  insert_free(begin, size);
}

void Arena::insert_free(Address begin, std::size_t bytes) {
  free_.emplace(begin, bytes);
  free_by_size_.emplace(bytes, begin);
}

void Arena::erase_free(std::pmr::map<Address, std::size_t>::iterator block) {
  free_by_size_.erase({block->second, block->first});
  free_.erase(block);
}

void* Arena::allocate(std::size_t bytes) {
  const std::size_t size = round_up(std::max<std::size_t>(bytes, 1), kAlignment);
  auto fit = free_by_size_.lower_bound({size, nullptr});
  if (fit == free_by_size_.end()) {
    add_slab(size);
    fit = free_by_size_.lower_bound({size, nullptr});
  }
  const auto [free_size, begin] = *fit;
  erase_free(free_.find(begin));
  if (free_size > size) insert_free(begin + size, free_size - size);
  used_.emplace(begin, size);
  in_use_ += size;
  peak_ = std::max(peak_, in_use_);
  return begin;
}

void Arena::release(void* memory) {
  auto used = used_.find(static_cast<Address>(memory));
  EDT_ASSERT(used != used_.end());
  Address begin = used->first;
  std::size_t size = used->second;
  used_.erase(used);
  in_use_ -= size;
  auto next = free_.lower_bound(begin);
  if (next != free_.end() && begin + size == next->first && !slab_begins_.contains(next->first)) {
    size += next->second;
    auto merged = next++;
    erase_free(merged);
  }
  if (next != free_.begin()) {
    auto previous = std::prev(next);
    if (previous->first + previous->second == begin && !slab_begins_.contains(begin)) {
      begin = previous->first;
      size += previous->second;
      erase_free(previous);
    }
  }
  insert_free(begin, size);
}

Tensor Arena::make(const Shape& shape, DType dtype) {
  Tensor tensor{nullptr, shape, dtype};
  tensor.data = allocate(tensor.bytes());
  return tensor;
}

}  // namespace edt
