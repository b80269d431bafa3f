// Where arenas and flat buffers get their memory: the host here, a device in its own backend.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace edt {

// What is free of a device's memory, and the device's name, the same in every process of a node.
struct FreeMemory {
  std::string device;
  std::size_t bytes = 0;
};

class Memory {
 public:
  virtual ~Memory() = default;
  // At least `bytes`, aligned to 256. Throws SystemError when there is not enough.
  virtual void* reserve(std::size_t bytes) = 0;
  virtual void release(void* memory) noexcept = 0;
  // None: the host's memory.
  virtual std::optional<FreeMemory> free_on_device() const { return std::nullopt; }
};

// Host memory, backed by huge pages where the kernel grants them.
Memory& host_memory();

// One owned block of Memory, zero-filled by the caller where it matters.
class Block {
 public:
  Block() = default;
  Block(Memory& memory, std::size_t bytes)
      : data_(bytes == 0 ? nullptr : memory.reserve(bytes), Release{&memory}), bytes_(bytes) {}

  void* data() const { return data_.get(); }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Release {
    Memory* memory = nullptr;
    void operator()(void* pointer) const noexcept { memory->release(pointer); }
  };
  std::unique_ptr<void, Release> data_{nullptr, Release{}};
  std::size_t bytes_ = 0;
};

}  // namespace edt
