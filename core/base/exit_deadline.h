// The end of this process by a time, whatever it waits for then: a library that asks a peer which
// is gone, a launcher out of reach, a disk that hangs.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace edt {

class ExitDeadline {
 public:
  // After `patience`, `line` (where there is one) goes to standard error, and the process ends with
  // `status` as it is: nothing is unwound, no exit handler runs.
  ExitDeadline(std::chrono::duration<double> patience, int status, std::string line);
  // In time.
  ~ExitDeadline();
  ExitDeadline(const ExitDeadline&) = delete;
  ExitDeadline& operator=(const ExitDeadline&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool met_ = false;
  std::thread thread_;
};

}  // namespace edt
