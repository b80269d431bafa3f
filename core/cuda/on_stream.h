// The operations of a Device in the order of one stream: of the backend's own, and of another
// beside it for what overlaps.
#pragma once

#include "core/cuda/context.h"
#include "core/cuda/events.h"
#include "core/cuda/memory.h"
#include "core/ops/backend.h"

namespace edt {

// The calls behind OnStream.
void zero_on(cudaStream_t stream, const Tensor& tensor);
void fill_on(cudaStream_t stream, const Tensor& tensor, double value);
void copy_on(cudaStream_t stream, const Tensor& from, const Tensor& to);
void add_into_on(cudaStream_t stream, const Tensor& from, const Tensor& to);
void fold_on(cudaStream_t stream, std::span<const Tensor> sums, const Tensor& last);
void upload_on(cudaStream_t stream, const void* host, const Tensor& to);
void send_on(cudaStream_t stream, const void* host, const Tensor& to);
void download_on(cudaStream_t stream, const Tensor& from, void* host);
void synchronize_on(cudaStream_t stream);
double seconds_on(cudaStream_t stream, Block& head_start, Memory& memory,
                  const std::function<void()>& work);

// The memory of one GPU and what its streams share.
struct CudaShared {
  explicit CudaShared(int index)
      : device(index), memory(index), pinned(index), events(std::make_shared<EventPool>(index)) {}

  int device;
  CudaMemory memory;
  PinnedMemory pinned;
  Block head_start;  // of seconds_of(), once it has been called
  std::shared_ptr<EventPool> events;
};

// `Base` is Device or Backend.
template <class Base>
class OnStream : public Base {
 public:
  explicit OnStream(CudaShared& shared) : shared_(shared) {}

  // Work may be asked for from another thread than the one that made the stream.
  virtual cudaStream_t stream() const = 0;

  std::string_view name() const override { return "cuda"; }
  bool in_host_memory() const override { return false; }
  Memory& memory() override { return shared_.memory; }
  Memory& staging() override { return shared_.pinned; }

  void zero(const Tensor& tensor) override { zero_on(stream(), tensor); }
  void fill(const Tensor& tensor, double value) override { fill_on(stream(), tensor, value); }
  void copy(const Tensor& from, const Tensor& to) override { copy_on(stream(), from, to); }
  void add_into(const Tensor& from, const Tensor& to) override { add_into_on(stream(), from, to); }
  void fold(std::span<const Tensor> sums, const Tensor& last) override {
    fold_on(stream(), sums, last);
  }
  void upload(const void* host, const Tensor& to) override { upload_on(stream(), host, to); }
  void send(const void* host, const Tensor& to) override { send_on(stream(), host, to); }
  void download(const Tensor& from, void* host) override { download_on(stream(), from, host); }
  void synchronize() override { synchronize_on(stream()); }

  double seconds_of(const std::function<void()>& work) override {
    return seconds_on(stream(), shared_.head_start, shared_.memory, work);
  }

  std::unique_ptr<Device> new_stream() override;
  Event record() override { return shared_.events->record(stream()); }
  void wait(const Event& event) override { EventPool::wait(stream(), event); }
  void finish(const Event& event) override { EventPool::finish(event); }

 protected:
  CudaShared& shared_;
};

// A stream of its own. What overlaps the backend's work goes first: it is little, and others wait
// for it, while behind a large product it would begin when the last block of that has begun.
class CudaStreamDevice final : public OnStream<Device> {
 public:
  explicit CudaStreamDevice(CudaShared& shared)
      : OnStream(shared), stream_(shared.device, StreamPriority::kFirst) {}
  cudaStream_t stream() const override { return stream_.get(); }

 private:
  CudaStream stream_;
};

template <class Base>
std::unique_ptr<Device> OnStream<Base>::new_stream() {
  return std::make_unique<CudaStreamDevice>(shared_);
}

// The stream of a device's calls: for communicators that work in their order. CudaError for a
// device that is no GPU.
cudaStream_t stream_of(Device& device);

}  // namespace edt
