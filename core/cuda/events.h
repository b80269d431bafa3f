// Points in the order of a stream: to measure between, or for other streams to wait for. The latter
// are reused, the steady state makes none.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <mutex>
#include <vector>

#include "core/tensor/device.h"

namespace edt {

// A point in the order of a stream that knows when it came.
class TimedEvent {
 public:
  // Of the calling thread's GPU.
  TimedEvent();
  void record(cudaStream_t stream) const;
  // Between two events of one stream; waits until the later has come.
  double seconds_since(const TimedEvent& earlier) const;

 private:
  struct Destroy {
    void operator()(cudaEvent_t event) const { cudaEventDestroy(event); }
  };
  std::unique_ptr<std::remove_pointer_t<cudaEvent_t>, Destroy> event_;
};

class EventPool : public std::enable_shared_from_this<EventPool> {
 public:
  explicit EventPool(int device) : device_(device) {}
  ~EventPool();

  Event record(cudaStream_t stream);
  // What `stream` is asked for from now on begins after the event.
  static void wait(cudaStream_t stream, const Event& event);
  // Waits until the event has come.
  static void finish(const Event& event);

 private:
  struct Recorded;
  cudaEvent_t take();
  static cudaEvent_t event_of(const Event& event);

  int device_;
  std::mutex mutex_;  // streams belong to several threads
  std::vector<cudaEvent_t> free_;
};

}  // namespace edt
