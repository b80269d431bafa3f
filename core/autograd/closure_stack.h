// Backward closures of different types, stored one after the other and removed last in, first out.
// Memory is kept between steps, so pushing allocates nothing in the steady state.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/base/assert.h"

namespace edt {

class Tape;
class OutputGrad;

class ClosureStack {
 public:
  struct Entry {
    void* object = nullptr;
    void (*run)(void*, Tape&, OutputGrad&) = nullptr;
    void (*destroy)(void*) noexcept = nullptr;
    std::size_t chunk = 0, end = 0;  // top of the stack once this entry is its last
  };

  template <class F>
  Entry push(F&& closure) {
    using Closure = std::decay_t<F>;
    static_assert(sizeof(Closure) <= kChunkBytes && alignof(Closure) <= alignof(std::max_align_t));
    void* memory = reserve(sizeof(Closure));
    Entry entry;
    entry.object = new (memory) Closure(std::forward<F>(closure));
    entry.run = [](void* object, Tape& tape, OutputGrad& grad) {
      (*static_cast<Closure*>(object))(tape, grad);
    };
    entry.destroy = [](void* object) noexcept { static_cast<Closure*>(object)->~Closure(); };
    entry.chunk = chunk_;
    entry.end = offset_;
    return entry;
  }

  // Makes `last` the last entry; nullptr empties the stack.
  void rewind(const Entry* last) {
    chunk_ = last == nullptr ? 0 : last->chunk;
    offset_ = last == nullptr ? 0 : last->end;
  }

 private:
  static constexpr std::size_t kChunkBytes = 64 * 1024;

  void* reserve(std::size_t bytes) {
    constexpr std::size_t kAlign = alignof(std::max_align_t);
    const std::size_t size = (bytes + kAlign - 1) / kAlign * kAlign;
    if (chunks_.empty() || offset_ + size > kChunkBytes) {
      if (!chunks_.empty()) ++chunk_;
      if (chunk_ == chunks_.size()) chunks_.push_back(std::make_unique<std::byte[]>(kChunkBytes));
      offset_ = 0;
    }
    void* memory = chunks_[chunk_].get() + offset_;
    offset_ += size;
    return memory;
  }

  std::vector<std::unique_ptr<std::byte[]>> chunks_;
  std::size_t chunk_ = 0, offset_ = 0;
};

}  // namespace edt
