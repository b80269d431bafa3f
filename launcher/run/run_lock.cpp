#include "launcher/run/run_lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/storage/access.h"
#include "core/storage/durable_file.h"

namespace edt {
namespace {

namespace fs = std::filesystem;
std::string first_word(const fs::path& file) {
  std::ifstream stream(file);
  std::string word;
  stream >> word;
  return word;
}

// What /proc says of a process.
struct ProcessFacts {
  // In ticks since boot: tells it from a later one with its number.
  std::string start = "?";
  // It has ended, and whoever started it has not asked how: its number is taken until then. One of
  // which threads are left (that write to a disk, say) has not.
  bool has_ended = false;
};

ProcessFacts facts_of(long process) {
  constexpr int kState = 3, kThreads = 20, kStart = 22;  // proc(5)
  std::ifstream stream(fmt::format("/proc/{}/stat", process));
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  const auto name_end = text.rfind(')');  // the name may hold blanks and parentheses
  if (name_end == text.npos) return {};
  std::istringstream rest(text.substr(name_end + 1));
  std::array<std::string, kStart + 1> fields;
  for (std::size_t i = kState; i <= kStart; ++i) rest >> fields[i];
  const bool is_zombie = fields[kState] == "Z" || fields[kState] == "X";
  return {fields[kStart], is_zombie && std::atol(fields[kThreads].c_str()) <= 1};
}

struct Holder {
  std::string host, boot, start;
  long process = 0;
  std::string job = "-";  // of Slurm
  long restarts = 0;      // of that job
};

std::string environment(const char* name, const char* otherwise) {
  const char* text = std::getenv(name);
  return text && *text ? text : otherwise;
}

Holder this_process() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return {.host = host.data(),
          .boot = first_word("/proc/sys/kernel/random/boot_id"),
          .start = facts_of(getpid()).start,
          .process = getpid(),
          .job = environment("SLURM_JOB_ID", "-"),
          .restarts = std::atol(environment("SLURM_RESTART_COUNT", "0").c_str())};
}

std::string to_text(const Holder& holder) {
  return fmt::format("{} {} {} {} {} {}\n", holder.host, holder.process, holder.boot, holder.start,
                     holder.job, holder.restarts);
}

// Nothing for a lock that is being written, or that something else wrote.
std::optional<Holder> parse(const std::string& text) {
  std::istringstream stream(text);
  Holder holder;
  if (!(stream >> holder.host >> holder.process >> holder.boot >> holder.start)) return {};
  stream >> holder.job >> holder.restarts;
  return holder;
}

std::string described(const std::string& text) {
  const auto holder = parse(text);
  if (!holder) return "a process that left no name";
  return fmt::format("process {} on {}", holder->process, holder->host);
}

enum class State { kAlive, kGone, kUnknown };

// Whether the process that holds a lock lives; unknown on another host.
State process_state(const std::optional<Holder>& holder, const Holder& self) {
  if (!holder || holder->host != self.host) return State::kUnknown;
  if (holder->boot != self.boot) return State::kGone;
  if (kill(static_cast<pid_t>(holder->process), 0) != 0 && errno == ESRCH) return State::kGone;
  const ProcessFacts facts = facts_of(holder->process);
  return facts.start == holder->start && !facts.has_ended ? State::kAlive : State::kGone;
}

State state_of(const std::string& text) {
  const auto holder = parse(text);
  const Holder self = this_process();
  // What is left of it finds itself replaced (launcher/run/fencing_token.h).
  if (holder && self.job != "-" && holder->job == self.job && holder->restarts < self.restarts) {
    return State::kGone;
  }
  return process_state(holder, self);
}

// The ranks of a job that was just killed live a little longer than what started them: `grace`
// is for them.
State state_when_settled(const std::string& text, std::chrono::milliseconds grace) {
  const auto deadline = Clock::now() + grace;
  State state = state_of(text);
  while (state == State::kAlive && Clock::now() < deadline) {
    std::this_thread::sleep_for(grace / 30);
    state = state_of(text);
  }
  return state;
}

// Nanoseconds on the file server's clock; only compared with itself.
long long time_stamp(const fs::path& file) {
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) return 0;
  return status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec;
}

}  // namespace

std::optional<LockSight> look_at_lock(const fs::path& file) {
  const long long stamp = time_stamp(file);
  if (stamp == 0) return {};
  const auto holder = parse(text_if_there(file));
  LockSight sight;
  if (holder) {
    sight.host = holder->host;
    sight.process = holder->process;
  }
  const std::chrono::nanoseconds renewed(stamp);
  sight.renewed_ago = std::chrono::system_clock::now().time_since_epoch() - renewed;
  const State state = process_state(holder, this_process());
  if (state == State::kGone) sight.state = LockSight::State::kGone;
  if (state == State::kUnknown && sight.renewed_ago > RunLock::Timing{}.stale_after) {
    sight.state = LockSight::State::kSilent;
  }
  return sight;
}

RunLock::RunLock(fs::path file) : RunLock(std::move(file), Timing{}) {}

RunLock::RunLock(fs::path file, Timing timing)
    : file_(std::move(file)), timing_(timing), identity_(to_text(this_process())) {
  constexpr int kAttempts = 3;  // others may be taking over the same stale lock
  for (int attempt = 0; !try_create(); ++attempt) {
    const std::string holder = text_if_there(file_);
    const State state = state_when_settled(holder, timing_.ending);
    require<UsageError>(state != State::kAlive && attempt < kAttempts, "run", "{} is in use by {}",
                        file_.parent_path().string(), described(holder));
    if (state == State::kUnknown) wait_until_stale(holder);
    take_over(holder);
  }
  renewer_ = std::thread([this] { renew_until_stopped(); });
}

RunLock::~RunLock() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopped_.notify_all();
  renewer_.join();
  std::error_code ignored;
  if (text_if_there(file_) == identity_) fs::remove(file_, ignored);
}

// False when the lock exists.
bool RunLock::try_create() const {
  const int file = open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0 && errno == EEXIST) return false;
  if (file < 0) {
    const int code = errno;
    fail_for<UsageError>(code, "run", "{} cannot be written: {}", file_.parent_path().string(),
                         error_text(code, file_));
  }
  const ssize_t written = write(file, identity_.data(), identity_.size());
  const int error = errno;
  close(file);
  if (written != static_cast<ssize_t>(identity_.size())) {
    unlink(file_.c_str());
    fail_for<UsageError>(written < 0 ? error : ENOSPC, "run", "{} cannot be written: {}",
                         file_.string(), error_text(written < 0 ? error : ENOSPC, file_));
  }
  return true;
}

// Watches the time stamp rather than comparing it with a clock: clocks of nodes differ.
void RunLock::wait_until_stale(const std::string& holder) const {
  const long long stamp = time_stamp(file_);
  log::warning("[run] {} is locked by {}; waiting {} s for a sign of life", file_.string(),
               described(holder), std::chrono::duration<double>(timing_.stale_after).count());
  const auto deadline = Clock::now() + timing_.stale_after;
  while (Clock::now() < deadline) {
    std::this_thread::sleep_for(timing_.look);
    if (!fs::exists(file_)) return;
    require<UsageError>(time_stamp(file_) == stamp && text_if_there(file_) == holder, "run",
                        "{} is in use by {}", file_.parent_path().string(), described(holder));
  }
}

void RunLock::take_over(const std::string& holder) const {
  const fs::path aside = fmt::format("{}.stale.{}", file_.string(), getpid());
  std::error_code error;
  fs::rename(file_, aside, error);
  if (error) return;  // someone was faster
  if (text_if_there(aside) != holder) {
    // Someone was faster and holds it: give it back.
    fs::create_hard_link(aside, file_, error);
  } else {
    log::warning("[run] took over the stale lock of {}", described(holder));
  }
  fs::remove(aside, error);
}

void RunLock::renew_until_stopped() {
  std::unique_lock lock(mutex_);
  while (!stopped_.wait_for(lock, timing_.renew, [this] { return stop_; })) {
    if (text_if_there(file_) == identity_) utimensat(AT_FDCWD, file_.c_str(), nullptr, 0);
  }
}

}  // namespace edt
