// The streams of the emulated runtime. What a stream is asked for is done as late as it may be:
// when somebody waits for the stream, or for an event recorded on it. So work that nothing orders
// after what it needs finds it undone, and host memory that was changed too early is seen changed.
//
// A stream that is captured does nothing: its work becomes the nodes of a graph, each launch of
// which is work of a stream. As on CUDA, a call that a capture does not allow fails and spoils the
// capture. One stream is captured at a time by a thread; forks to other streams are not emulated,
// they fail.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>

namespace edt::emulation {

void ask(cudaStream_t stream, std::function<void()> work);
// Of one stream, and of all.
void finish(cudaStream_t stream);
void finish_all();

// For work that is being done: how long it pretends to take. Timed events see it.
void pass_time(double seconds);

// While it lives, this thread works on the device: nobody else does, and memory of the device that
// is protected can be touched.
class AtWork {
 public:
  AtWork();
  ~AtWork();
  AtWork(const AtWork&) = delete;
  AtWork& operator=(const AtWork&) = delete;
};

bool is_captured(cudaStream_t stream);
// For calls that a thread must not make while it captures: success, or the error, and the capture
// is spoilt.
cudaError_t refused_in_capture();

}  // namespace edt::emulation
