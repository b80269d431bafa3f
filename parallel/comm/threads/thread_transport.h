// Messages between threads: one copy, from the sender's memory into the receiver's, made by
// whichever of the two comes second. A message is complete only once its receiver has it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>

#include "parallel/comm/transport.h"

namespace edt {

class ThreadMessage;

// What all ranks of a program share: the first failure, which ends every wait.
class ThreadJob {
 public:
  // Only the first call has an effect. `exception` may be null.
  void fail(std::string reason, std::exception_ptr exception);
  bool failed() const { return failed_; }
  std::string reason() const;
  std::exception_ptr exception() const;

 private:
  std::atomic<bool> failed_ = false;
  mutable std::mutex mutex_;
  std::string reason_;
  std::exception_ptr exception_;
};

// The ranks of one communicator.
struct ThreadGroup {
  ThreadGroup(std::shared_ptr<ThreadJob> of_job, int size)
      : job(std::move(of_job)), ranks(static_cast<std::size_t>(size)) {}

  struct Rank {
    std::condition_variable bell;         // a message from or to this rank is complete
    std::deque<ThreadMessage*> sends;     // to this rank, not yet matched
    std::deque<ThreadMessage*> receives;  // by this rank, not yet matched
  };

  std::shared_ptr<ThreadJob> job;
  std::mutex mutex;
  std::deque<Rank> ranks;
  // Groups that split() is making: by id and first member.
  std::map<std::pair<std::uint64_t, int>, std::weak_ptr<ThreadGroup>> children;
};

std::unique_ptr<Transport> make_thread_transport(std::shared_ptr<ThreadGroup> group, int rank);

}  // namespace edt
