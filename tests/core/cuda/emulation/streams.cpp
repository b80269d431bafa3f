#include "tests/core/cuda/emulation/streams.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "tests/core/cuda/emulation/device_memory.h"
#include "tests/core/cuda/emulation/runtime.h"

namespace edt::emulation {
namespace {

using Work = std::function<void()>;
using Nodes = std::vector<Work>;

struct Capture {
  Nodes nodes;
  bool spoilt = false;
};

struct Stream {
  std::deque<Work> work;
  std::uint64_t asked = 0, done = 0;
  Capture* capture = nullptr;
  int priority = 0;
};

struct Event {
  Stream* stream = nullptr;
  std::uint64_t asked = 0;
  bool captured = false;         // recorded on a captured stream: nothing outside may refer to it
  std::shared_ptr<double> time;  // where events are timed: when it came, on the device's clock
};

thread_local std::unique_ptr<Capture> own_capture;

cudaError_t left(cudaError_t error) {
  leave_error(error);
  return error;
}

cudaError_t spoil(cudaError_t error) {
  if (own_capture) own_capture->spoilt = true;
  return left(error);
}

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
  if (stream.done >= asked) return;
  const AtWork at_work;
  while (stream.done < asked) {
    const Work work = std::move(stream.work.front());
    stream.work.pop_front();
    work();
    ++stream.done;
  }
}

int depth = 0;
double device_clock = 0;  // seconds that the work done so far pretends to have taken

}  // namespace

AtWork::AtWork() {
  mutex.lock();
  if (depth++ == 0) open_device_memory(true);
}
AtWork::~AtWork() {
  if (--depth == 0) open_device_memory(false);
  mutex.unlock();
}

void ask(cudaStream_t handle, Work work) {
  const std::lock_guard lock(mutex);
  Stream& stream = stream_at(handle);
  if (stream.capture != nullptr) {
    stream.capture->nodes.push_back(std::move(work));
    return;
  }
  stream.work.push_back(std::move(work));
  ++stream.asked;
}

void pass_time(double seconds) {
  const std::lock_guard lock(mutex);
  device_clock += seconds;
}

bool is_captured(cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  return stream_at(stream).capture != nullptr;
}

cudaError_t refused_in_capture() {
  return own_capture ? spoil(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
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

// The lower number goes first.
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  *least = 0;
  *greatest = -5;
  return cudaSuccess;
}
cudaError_t cudaStreamGetPriority(cudaStream_t handle, int* priority) {
  const std::lock_guard lock(mutex);
  *priority = stream_at(handle).priority;
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* handle, unsigned, int priority) {
  require_chosen_gpu("cudaStreamCreateWithPriority");
  const std::lock_guard lock(mutex);
  auto* stream = new Stream;
  stream->priority = priority;
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
  require_chosen_gpu("cudaStreamSynchronize");
  if (const cudaError_t refused = refused_in_capture()) return refused;
  if (is_captured(handle)) return spoil(cudaErrorStreamCaptureUnsupported);
  finish(handle);
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* handle, unsigned flags) {
  require_chosen_gpu("cudaEventCreateWithFlags");
  auto* event = new Event;
  if ((flags & cudaEventDisableTiming) == 0) event->time = std::make_shared<double>();
  *handle = reinterpret_cast<cudaEvent_t>(event);
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t handle) {
  delete &event_at(handle);
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  Event& event = event_at(handle);
  if (event.time && is_captured(stream)) return spoil(cudaErrorStreamCaptureUnsupported);
  if (event.time) ask(stream, [time = event.time] { *time = device_clock; });
  event.stream = &stream_at(stream);
  event.asked = stream_at(stream).asked;
  event.captured = is_captured(stream);
  return cudaSuccess;
}
// Of events that have come.
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  const std::lock_guard lock(mutex);
  const Event &begin = event_at(from), &end = event_at(to);
  if (!begin.time || !end.time || begin.stream == nullptr || end.stream == nullptr) {
    return left(cudaErrorInvalidResourceHandle);
  }
  const auto has_come = [](const Event& event) { return event.stream->done >= event.asked; };
  if (!has_come(begin) || !has_come(end)) return cudaErrorNotReady;
  *milliseconds = static_cast<float>((*end.time - *begin.time) * 1e3);
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
  require_chosen_gpu("cudaEventSynchronize");
  if (const cudaError_t refused = refused_in_capture()) return refused;
  const std::lock_guard lock(mutex);
  const Event event = event_at(handle);
  if (event.captured) return spoil(cudaErrorCapturedEvent);
  if (event.stream != nullptr && streams().contains(event.stream)) {
    finish(*event.stream, event.asked);
  }
  return cudaSuccess;
}
// Refers to the event as it is now: it may be recorded again before the stream comes to it.
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t handle, unsigned) {
  const Event event = event_at(handle);
  const bool into_capture = is_captured(stream);
  if (event.captured != into_capture && event.stream != nullptr) {
    return spoil(cudaErrorStreamCaptureIsolation);
  }
  if (event.stream == nullptr || event.stream == &stream_at(stream)) return cudaSuccess;
  if (into_capture) return spoil(cudaErrorStreamCaptureUnsupported);
  ask(stream, [event] {
    if (streams().contains(event.stream)) finish(*event.stream, event.asked);
  });
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  const std::lock_guard lock(mutex);
  if (own_capture || is_captured(stream)) return left(cudaErrorIllegalState);
  if (mode != cudaStreamCaptureModeThreadLocal) return left(cudaErrorInvalidValue);
  own_capture = std::make_unique<Capture>();
  stream_at(stream).capture = own_capture.get();
  return cudaSuccess;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  *status = is_captured(stream) ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const std::lock_guard lock(mutex);
  *graph = nullptr;
  if (!is_captured(stream)) return left(cudaErrorIllegalState);
  if (stream_at(stream).capture != own_capture.get())
    return left(cudaErrorStreamCaptureWrongThread);
  stream_at(stream).capture = nullptr;
  const auto capture = std::move(own_capture);
  if (capture->spoilt) return left(cudaErrorStreamCaptureInvalidated);
  *graph = reinterpret_cast<cudaGraph_t>(new Nodes(std::move(capture->nodes)));
  return cudaSuccess;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t*, size_t* count) {
  *count = reinterpret_cast<Nodes*>(graph)->size();
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete reinterpret_cast<Nodes*>(graph);
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long) {
  const auto nodes = std::make_shared<const Nodes>(*reinterpret_cast<Nodes*>(graph));
  *executable = reinterpret_cast<cudaGraphExec_t>(new std::shared_ptr(nodes));
  return cudaSuccess;
}
// Launches that are under way keep what they need.
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete reinterpret_cast<std::shared_ptr<const Nodes>*>(executable);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  if (is_captured(stream)) return spoil(cudaErrorStreamCaptureUnsupported);
  ask(stream, [nodes = *reinterpret_cast<std::shared_ptr<const Nodes>*>(executable)] {
    for (const Work& node : *nodes) node();
  });
  return cudaSuccess;
}

}  // extern "C"
