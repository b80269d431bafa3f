// What threads that work at once must not share.
#pragma once

#include <omp.h>

#include <cstddef>
#include <deque>
#include <mutex>

namespace edt {

// One T for each number of a thread in its region, made when that thread first asks. Another thread
// of the system may have the number in a later region.
template <class T>
class PerThread {
 public:
  T& mine() {
    const auto thread = static_cast<std::size_t>(omp_get_thread_num());
    const std::lock_guard guard(lock_);
    while (all_.size() <= thread) all_.emplace_back();
    return all_[thread];
  }

 private:
  std::mutex lock_;
  std::deque<T> all_;  // those that are there stay where they are
};

}  // namespace edt
