#include "tests/support/child_process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <vector>

#include "tests/support/wait_until.h"

namespace edt::test {
namespace {

pid_t start(const std::function<int()>& body) {
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("a test's process cannot be started");
  if (child > 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  _exit(body());
}

int run_shell(const std::string& command) {
  execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
  return 127;
}

// 0 where the process has gone meanwhile.
pid_t parent_of(const std::filesystem::path& process) {
  std::ifstream file(process / "stat");
  std::string text;
  std::getline(file, text);
  const auto name_end = text.rfind(") ");
  return name_end == text.npos ? 0 : std::atoi(text.c_str() + name_end + 4);
}

// What it has started, and what those have; mpirun's ranks are in groups of their own.
std::vector<pid_t> with_descendants(pid_t root) {
  std::multimap<pid_t, pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const pid_t process = std::atoi(entry.path().filename().c_str());
    if (process > 0) children.emplace(parent_of(entry.path()), process);
  }
  std::vector<pid_t> all{root};
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto [begin, end] = children.equal_range(all[i]);
    for (auto child = begin; child != end; ++child) all.push_back(child->second);
  }
  return all;
}

void kill_with_descendants(pid_t root) {
  for (const pid_t process : with_descendants(root)) kill(process, SIGKILL);
}

}  // namespace

ChildProcess::ChildProcess(const std::string& command)
    : id_(start([&] { return run_shell(command); })) {}

ChildProcess::ChildProcess(const std::function<int()>& body) : id_(start(body)) {}

ChildProcess::~ChildProcess() {
  if (status_) return;
  kill_with_descendants(id_);
  waitpid(id_, nullptr, 0);
}

void ChildProcess::send(int signal_number) const {
  if (!status_) kill(id_, signal_number);
}

bool ChildProcess::ended() {
  int status = 0;
  if (!status_ && waitpid(id_, &status, WNOHANG) == id_) {
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  return status_.has_value();
}

std::optional<int> ChildProcess::wait(std::chrono::seconds limit) {
  if (wait_until([&] { return ended(); }, limit)) return status_;
  kill_with_descendants(id_);
  waitpid(id_, nullptr, 0);
  status_ = -SIGKILL;
  return std::nullopt;
}

int status_in_child(const std::function<int()>& body) {
  return ChildProcess(body).wait().value_or(-1000);
}

}  // namespace edt::test
