// What a micro-batch reads: tensors that the host fills. Where the host cannot write to the
// device's memory, it fills pinned memory of its own, and one copy on a stream brings all of it
// over while the device is still busy with what was asked for before.
#pragma once

#include <array>
#include <vector>

#include "core/tensor/device.h"

namespace edt {

class InputBuffers {
 public:
  explicit InputBuffers(Device& device) : device_(device) {}

  // Index of a new tensor. All are added before the first fill.
  std::size_t add(const Shape& shape, DType dtype);

  // On the device; the address stays.
  Tensor tensor(std::size_t index);

  // A round: begin(), values into host(), send(). Afterwards the tensors have them, in the order of
  // the device's work.
  void begin();
  template <class T>
  std::span<T> host(std::size_t index) {
    const Entry& entry = entries_[index];
    const Tensor mirror{host_block() + entry.offset, entry.shape, entry.dtype};
    return mirror.span<T>();
  }
  void send();

  std::size_t bytes() const { return memory_.bytes(); }

 private:
  struct Entry {
    Shape shape;
    DType dtype;
    std::size_t offset;
  };
  // One of two that take turns: the host fills one while the other travels.
  struct Stage {
    Block pinned, arrived;
    Event sent;  // on the stream: the host may write again
    Event used;  // on the device: the stream may write again
  };
  void allocate();
  std::byte* host_block();

  Device& device_;
  std::unique_ptr<Device> stream_;  // where the host cannot write itself
  std::vector<Entry> entries_;
  std::size_t size_ = 0;
  Block memory_;
  std::array<Stage, 2> stages_;
  std::size_t turn_ = 0;
};

}  // namespace edt
