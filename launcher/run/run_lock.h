// Keeps two runs out of one directory, on one machine or across a cluster: a lock file with the
// holder's host, process and boot, whose time stamp the holder renews. A lock is stale when its
// process is gone from this host, or when nobody has renewed it for a while (a killed job that was
// requeued on another node). Under Slurm it also names the job and how often it was restarted: a
// restarted job takes over from its own earlier start at once.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace edt {

class RunLock {
 public:
  struct Timing {
    std::chrono::milliseconds renew{10'000};
    // A lock that another host has not renewed for this long is stale.
    std::chrono::milliseconds stale_after{60'000};
    // How long a living holder on this host is given to end.
    std::chrono::milliseconds ending{3'000};
    // Between two looks at a lock of another host.
    std::chrono::milliseconds look{3'000};
  };

  // Waits at most `stale_after` for a lock of another host that looks abandoned. Throws UsageError
  // when the directory is in use or cannot be written.
  explicit RunLock(std::filesystem::path file);
  RunLock(std::filesystem::path file, Timing timing);
  // Removes the lock.
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  bool try_create() const;
  void wait_until_stale(const std::string& holder) const;
  void take_over(const std::string& holder) const;
  void renew_until_stopped();

  std::filesystem::path file_;
  Timing timing_;
  std::string identity_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stop_ = false;
  std::thread renewer_;
};

// A lock as somebody sees it who only looks.
struct LockSight {
  // Silent: held on another host and not renewed for a minute.
  enum class State { kHeld, kGone, kSilent };

  State state = State::kHeld;
  std::string host;
  long process = 0;
  std::chrono::duration<double> renewed_ago{};
};

// Nothing where there is no lock. Touches nothing.
std::optional<LockSight> look_at_lock(const std::filesystem::path& file);

}  // namespace edt
