#include "tests/core/cuda/emulation/streams.h"

#include <cstdint>
#include <deque>
#include <mutex>
#include <set>

namespace edt::emulation {
namespace {

struct Stream {
  std::deque<std::function<void()>> work;
  std::uint64_t asked = 0, done = 0;
};

struct Event {
  Stream* stream = nullptr;
  std::uint64_t asked = 0;
};

// Several threads ask; one works at a time. Work may wait for other streams, so it may be entered
// again.
std::recursive_mutex mutex;
std::set<Stream*>& streams() {
  static std::set<Stream*> all;
  return all;
}

Stream& stream_at(cudaStream_t handle) { return *reinterpret_cast<Stream*>(handle); }
Event& event_at(cudaEvent_t handle) { return *reinterpret_cast<Event*>(handle); }

void finish(Stream& stream, std::uint64_t asked) {
  while (stream.done < asked) {
    const std::function<void()> work = std::move(stream.work.front());
    stream.work.pop_front();
    work();
    ++stream.done;
  }
}

}  // namespace

void ask(cudaStream_t handle, std::function<void()> work) {
  const std::lock_guard lock(mutex);
  Stream& stream = stream_at(handle);
  stream.work.push_back(std::move(work));
  ++stream.asked;
}

void finish(cudaStream_t handle) {
  const std::lock_guard lock(mutex);
  Stream& stream = stream_at(handle);
  finish(stream, stream.asked);
}

void finish_all() {
  const std::lock_guard lock(mutex);
  for (Stream* stream : streams()) finish(*stream, stream->asked);
}

}  // namespace edt::emulation

using namespace edt::emulation;

extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* handle, unsigned) {
  const std::lock_guard lock(mutex);
  auto* stream = new Stream;
  streams().insert(stream);
  *handle = reinterpret_cast<cudaStream_t>(stream);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  finish(handle);
  const std::lock_guard lock(mutex);
  streams().erase(&stream_at(handle));
  delete &stream_at(handle);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  finish(handle);
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* handle, unsigned) {
  *handle = reinterpret_cast<cudaEvent_t>(new Event);
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t handle) {
  delete &event_at(handle);
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  event_at(handle) = {&stream_at(stream), stream_at(stream).asked};
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
  const std::lock_guard lock(mutex);
  const Event event = event_at(handle);
  if (event.stream != nullptr && streams().contains(event.stream)) {
    finish(*event.stream, event.asked);
  }
  return cudaSuccess;
}
// Refers to the event as it is now: it may be recorded again before the stream comes to it.
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t handle, unsigned) {
  const Event event = event_at(handle);
  if (event.stream == nullptr || event.stream == &stream_at(stream)) return cudaSuccess;
  ask(stream, [event] {
    if (streams().contains(event.stream)) finish(*event.stream, event.asked);
  });
  return cudaSuccess;
}

}  // extern "C"
