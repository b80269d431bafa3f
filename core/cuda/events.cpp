#include "core/cuda/events.h"

#include "core/cuda/capturing.h"
#include "core/cuda/error.h"

namespace edt {

TimedEvent::TimedEvent() {
  cudaEvent_t event = nullptr;
  check_cuda(cudaEventCreateWithFlags(&event, cudaEventDefault), "making an event");
  event_.reset(event);
}

void TimedEvent::record(cudaStream_t stream) const {
  check_cuda(cudaEventRecord(event_.get(), stream), "recording an event");
}

double TimedEvent::seconds_since(const TimedEvent& earlier) const {
  require_no_capture("waiting for an event");
  float milliseconds = 0;
  check_cuda(cudaEventSynchronize(event_.get()), "waiting for an event");
  check_cuda(cudaEventElapsedTime(&milliseconds, earlier.event_.get(), event_.get()),
             "reading an event's time");
  return 1e-3 * milliseconds;
}

// Goes back to the pool with the last copy of the Event.
struct EventPool::Recorded final : Event::Point {
  Recorded(std::shared_ptr<EventPool> from, cudaEvent_t recorded)
      : pool(std::move(from)), event(recorded) {}
  ~Recorded() override {
    const std::lock_guard lock(pool->mutex_);
    pool->free_.push_back(event);
  }

  std::shared_ptr<EventPool> pool;
  cudaEvent_t event;
};

EventPool::~EventPool() {
  for (cudaEvent_t event : free_) cudaEventDestroy(event);
}

cudaEvent_t EventPool::take() {
  const std::lock_guard lock(mutex_);
  cudaEvent_t event = nullptr;
  if (!free_.empty()) {
    event = free_.back();
    free_.pop_back();
    return event;
  }
  check_cuda(cudaSetDevice(device_), "choosing the GPU");
  check_cuda(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "making an event");
  return event;
}

Event EventPool::record(cudaStream_t stream) {
  auto recorded = std::make_shared<Recorded>(shared_from_this(), take());
  check_cuda(cudaEventRecord(recorded->event, stream), "recording an event");
  return Event(std::move(recorded));
}

cudaEvent_t EventPool::event_of(const Event& event) {
  return dynamic_cast<const Recorded&>(*event.point()).event;
}

void EventPool::wait(cudaStream_t stream, const Event& event) {
  if (event.point() == nullptr) return;
  check_cuda(cudaStreamWaitEvent(stream, event_of(event), 0), "waiting for an event");
}

void EventPool::finish(const Event& event) {
  require_no_capture("waiting for an event");
  if (event.point() == nullptr) return;
  check_cuda(cudaEventSynchronize(event_of(event)), "waiting for an event");
}

}  // namespace edt
