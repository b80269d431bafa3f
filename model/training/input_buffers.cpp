#include "model/training/input_buffers.h"

namespace edt {
namespace {

constexpr std::size_t kAlign = 256;

Tensor bytes_of(const Block& block) {
  return {
      block.data(), {static_cast<std::int64_t>(block.bytes() / sizeof(float))}, DType::kFloat32};
}

}  // namespace

std::size_t InputBuffers::add(const Shape& shape, DType dtype) {
  EDT_ASSERT(memory_.bytes() == 0);
  const Tensor tensor{nullptr, shape, dtype};
  entries_.push_back({shape, dtype, size_});
  size_ += (tensor.bytes() + kAlign - 1) / kAlign * kAlign;
  return entries_.size() - 1;
}

void InputBuffers::allocate() {
  if (memory_.bytes() > 0) return;
  memory_ = Block(device_.memory(), size_);
  if (device_.in_host_memory()) return;
  stream_ = device_.new_stream();
  for (Stage& stage : stages_) {
    stage.pinned = Block(device_.staging(), size_);
    stage.arrived = Block(device_.memory(), size_);
  }
}

Tensor InputBuffers::tensor(std::size_t index) {
  allocate();
  const Entry& entry = entries_[index];
  return {static_cast<std::byte*>(memory_.data()) + entry.offset, entry.shape, entry.dtype};
}

std::byte* InputBuffers::host_block() {
  return static_cast<std::byte*>(stream_ ? stages_[turn_].pinned.data() : memory_.data());
}

void InputBuffers::begin() {
  allocate();
  if (!stream_) return;
  turn_ = 1 - turn_;
  device_.finish(stages_[turn_].sent);
}

void InputBuffers::send() {
  if (!stream_) return;
  Stage& stage = stages_[turn_];
  stream_->wait(stage.used);
  stream_->send(stage.pinned.data(), bytes_of(stage.arrived));
  stage.sent = stream_->record();
  device_.wait(stage.sent);
  device_.copy(bytes_of(stage.arrived), bytes_of(memory_));
  stage.used = device_.record();
}

}  // namespace edt
