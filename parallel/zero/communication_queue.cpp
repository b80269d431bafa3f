#include "parallel/zero/communication_queue.h"

#include <omp.h>

#include <exception>
#include <utility>

#include "core/base/clock.h"
#include "core/base/span.h"

namespace edt {
CommunicationQueue::CommunicationQueue(Device& device, bool overlap, QueueObserver* observer)
    : device_(device), observer_(observer) {
  if (!overlap || observer != nullptr) return;
  stream_ = device.new_stream();
  thread_ = std::thread([this] { run(); });
}

CommunicationQueue::~CommunicationQueue() { stop(); }

void CommunicationQueue::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    drop_ = std::uncaught_exceptions() > 0;
  }
  changed_.notify_all();
  thread_.join();
}

CommunicationQueue::Ticket CommunicationQueue::submit(std::function<void()> task) {
  if (!thread_.joinable()) {
    const auto begin = Clock::now();
    if (observer_ != nullptr) observer_->task_begins(submitted_ + 1);
    task();
    if (observer_ != nullptr) observer_->task_ends(submitted_ + 1);
    const double seconds = seconds_since(begin);
    time_.total += seconds;
    time_.exposed += seconds;
    finished_ = ++submitted_;
    return submitted_;
  }
  Event ready = stream_ ? device_.record() : Event{};
  std::unique_lock lock(mutex_);
  rethrow();
  tasks_.push_back({std::move(task), std::move(ready)});
  const Ticket ticket = ++submitted_;
  lock.unlock();
  changed_.notify_all();
  return ticket;
}

void CommunicationQueue::wait(Ticket ticket) {
  if (observer_ != nullptr) observer_->waits_for(ticket);
  std::unique_lock lock(mutex_);
  if (finished_ < ticket && !error_) {
    const Span span({.kind = SpanKind::kCompute, .name = "wait for communication"});
    const auto begin = Clock::now();
    changed_.wait(lock, [&] { return finished_ >= ticket || error_; });
    time_.exposed += seconds_since(begin);
  }
  rethrow();
  if (stream_) order_after(ticket);
}

void CommunicationQueue::order_after(Ticket ticket) {
  if (ticket <= ordered_) return;
  const auto newer = static_cast<std::ptrdiff_t>(ticket - ordered_);
  device_.wait(ends_[static_cast<std::size_t>(newer - 1)]);
  ends_.erase(ends_.begin(), ends_.begin() + newer);
  ordered_ = ticket;
}

void CommunicationQueue::wait_all() { wait(submitted_); }

bool CommunicationQueue::done(Ticket ticket) {
  const std::lock_guard lock(mutex_);
  return finished_ >= ticket;
}

CommunicationTime CommunicationQueue::time() {
  const std::lock_guard lock(mutex_);
  return time_;
}

void CommunicationQueue::reset_time() {
  const std::lock_guard lock(mutex_);
  time_ = {};
}

// The threads of the machine belong to whoever computes.
void CommunicationQueue::run() {
  omp_set_num_threads(1);
  name_span_thread("queue");
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stop_ || !tasks_.empty(); });
    if (drop_ || tasks_.empty()) return;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    const auto begin = Clock::now();
    std::exception_ptr error;
    Event end;
    try {
      if (stream_) stream_->wait(task.ready);
      task.work();
      if (stream_) end = stream_->record();
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    time_.total += seconds_since(begin);
    ++finished_;
    if (stream_) ends_.push_back(std::move(end));
    if (error) {
      error_ = error;
      tasks_.clear();
    }
    changed_.notify_all();
    if (error) return;
  }
}

void CommunicationQueue::rethrow() {
  if (error_) std::rethrow_exception(error_);
}

}  // namespace edt
