#include "core/base/exit_deadline.h"

#include <algorithm>
#include <cstdlib>

#include "core/base/standard_streams.h"

namespace edt {

ExitDeadline::ExitDeadline(std::chrono::duration<double> patience, int status, std::string line)
    : thread_([this, patience, status, line = std::move(line)] {
        using Wait = std::chrono::milliseconds;  // condition variables take no 30 years
        constexpr std::chrono::duration<double> kLongest{1e6};
        const auto wait = std::chrono::duration_cast<Wait>(std::min(patience, kLongest));
        std::unique_lock lock(mutex_);
        if (wake_.wait_for(lock, wait, [this] { return met_; })) return;
        if (!line.empty()) write_standard_error(line);
        std::_Exit(status);
      }) {}

ExitDeadline::~ExitDeadline() {
  {
    const std::lock_guard lock(mutex_);
    met_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

}  // namespace edt
