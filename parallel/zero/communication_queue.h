// Runs communication in the order of submission: on a thread of its own while the caller computes,
// or at once. Keeps account of the time spent, and of how much of it the caller had to wait.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "core/tensor/device.h"

namespace edt {

// Seconds of collectives since the last reset: all of them, and those that computing waited for.
struct CommunicationTime {
  double total = 0;
  double exposed = 0;
  double hidden() const { return total > exposed ? total - exposed : 0; }
};

// Records a schedule without waiting for it: a queue with an observer runs each task at once,
// between task_begins() and task_ends().
class QueueObserver {
 public:
  virtual ~QueueObserver() = default;
  virtual void task_begins(std::uint64_t ticket) = 0;
  virtual void task_ends(std::uint64_t ticket) = 0;
  virtual void waits_for(std::uint64_t ticket) = 0;
};

class CommunicationQueue {
 public:
  using Ticket = std::uint64_t;

  // Tasks that run on their own thread ask a stream of `device` for their work, where it has
  // several: there a task begins after what the device was asked for before submit().
  explicit CommunicationQueue(Device& device, bool overlap, QueueObserver* observer = nullptr);
  ~CommunicationQueue();
  CommunicationQueue(const CommunicationQueue&) = delete;
  CommunicationQueue& operator=(const CommunicationQueue&) = delete;

  // What tasks work on.
  Device& device() { return stream_ ? *stream_ : device_; }

  // Tickets count from 1. What a task throws is rethrown by the next call that waits.
  Ticket submit(std::function<void()> task);
  // Returns once that task, and so all before it, are done: with a stream, have been asked for, and
  // what the device is asked for later comes after them.
  void wait(Ticket ticket);
  void wait_all();
  bool done(Ticket ticket);

  // Ends the thread once all tasks are done, since other ranks count on them; while an exception is
  // on its way, with the task that runs. Nothing is submitted after it.
  void stop();

  CommunicationTime time();
  void reset_time();

 private:
  struct Task {
    std::function<void()> work;
    Event ready;  // of the device when it was submitted
  };
  void run();
  void rethrow();
  // Later work of the device comes after what that task asked of the stream.
  void order_after(Ticket ticket);

  Device& device_;
  std::unique_ptr<Device> stream_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  std::deque<Event> ends_;  // in the stream, of the tasks after ordered_
  Ticket ordered_ = 0;      // the device's work comes after this task's
  Ticket submitted_ = 0, finished_ = 0;
  std::exception_ptr error_;
  bool stop_ = false, drop_ = false;
  CommunicationTime time_;
  QueueObserver* observer_;
  std::thread thread_;  // not joinable: tasks run at once
};

}  // namespace edt
