// Address space that becomes memory where it is touched, which a dry step does with its inputs
// only: a step that is planned allocates as a real one does, and takes nothing.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "core/tensor/memory.h"

namespace edt {

class FakeMemory final : public Memory {
 public:
  ~FakeMemory() override;
  void* reserve(std::size_t bytes) override;
  void release(void* memory) noexcept override;

  std::size_t bytes() const { return bytes_; }

  struct Block {
    std::byte* begin = nullptr;
    std::size_t bytes = 0;
  };
  // The block that an address lies in; nothing where it is other memory.
  std::optional<Block> block_of(const void* address) const;
  // Whether something has been written to it.
  static bool is_touched(const Block& block);

 private:
  std::map<std::byte*, std::size_t> blocks_;
  std::size_t bytes_ = 0;
};

}  // namespace edt
