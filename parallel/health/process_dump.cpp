#include "parallel/health/process_dump.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "core/base/signal_stack.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

constexpr int kDeepest = 64;

// What the handler writes; one thread is asked at a time.
struct Answer {
  std::array<void*, kDeepest> frames{};
  std::atomic<long> wanted{0};
  std::atomic<int> count{-1};
};
Answer answer;
std::mutex one_dump;

int dump_signal() { return SIGRTMIN + 5; }

void on_dump_signal(int) {
  // A thread that answers too late is not asked any more.
  if (answer.wanted.load() != syscall(SYS_gettid)) return;
  const int count = backtrace(answer.frames.data(), kDeepest);
  answer.wanted = 0;
  answer.count = count;
}

std::string first_line(const fs::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

// The state in /proc/.../stat: "12 (name) S ...".
std::string state_of(const fs::path& task) {
  const std::string line = first_line(task / "stat");
  const auto name_end = line.rfind(')');
  return name_end + 2 < line.size() ? line.substr(name_end + 2, 1) : "?";
}

std::string described(void* address) {
  Dl_info info{};
  if (dladdr(address, &info) == 0 || info.dli_fname == nullptr) return fmt::format("{}", address);
  const std::string object = fs::path(info.dli_fname).filename().string();
  const auto offset = static_cast<char*>(address) - static_cast<char*>(info.dli_fbase);
  if (info.dli_sname == nullptr) return fmt::format("{}+{:#x}", object, offset);
  int failed = 0;
  char* demangled = abi::__cxa_demangle(info.dli_sname, nullptr, nullptr, &failed);
  std::string name = demangled ? demangled : info.dli_sname;
  std::free(demangled);
  return fmt::format("{} ({}+{:#x})", name, object, offset);
}

std::vector<std::string> frames_of(long thread) {
  constexpr auto kPatience = std::chrono::milliseconds(200);
  constexpr int kOwnFrames = 2;  // of the handler and the kernel's trampoline
  answer.count = -1;
  answer.wanted = thread;
  if (syscall(SYS_tgkill, getpid(), thread, dump_signal()) != 0) return {};
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (answer.count < 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  answer.wanted = 0;
  std::vector<std::string> frames;
  for (int i = kOwnFrames; i < answer.count; ++i) {
    frames.push_back(described(answer.frames[static_cast<std::size_t>(i)]));
  }
  return frames;
}

}  // namespace

void prepare_thread_stacks() {
  static std::once_flag once;
  std::call_once(once, [] {
    std::array<void*, 4> frames{};
    backtrace(frames.data(), static_cast<int>(frames.size()));
    struct sigaction action {};
    action.sa_handler = on_dump_signal;
    action.sa_flags = SA_RESTART | kOnSignalStack;
    sigemptyset(&action.sa_mask);
    sigaction(dump_signal(), &action, nullptr);
  });
}

std::vector<ThreadStack> thread_stacks() {
  const std::lock_guard lock(one_dump);
  prepare_thread_stacks();
  std::vector<ThreadStack> all;
  std::error_code ignored;
  for (const auto& task : fs::directory_iterator("/proc/self/task", ignored)) {
    ThreadStack stack;
    stack.id = std::atol(task.path().filename().c_str());
    if (stack.id == syscall(SYS_gettid)) continue;
    stack.name = first_line(task.path() / "comm");
    stack.state = state_of(task.path());
    stack.waits_in = first_line(task.path() / "wchan");
    stack.frames = frames_of(stack.id);
    all.push_back(std::move(stack));
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return all;
}

std::vector<std::string> open_files() {
  std::vector<std::string> files;
  std::error_code ignored;
  for (const auto& link : fs::directory_iterator("/proc/self/fd", ignored)) {
    const std::string number = link.path().filename().string();
    const fs::path target = fs::read_symlink(link.path(), ignored);
    if (target.empty() || target.string().front() != '/') continue;  // pipes, sockets
    std::ifstream info(fs::path("/proc/self/fdinfo") / number);
    std::string word, position;
    info >> word >> position;
    files.push_back(fmt::format("{} {} at {}", number, target.string(), position));
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace edt
