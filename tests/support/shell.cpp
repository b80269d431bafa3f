#include "tests/support/shell.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "tests/support/child_process.h"

namespace edt::test {
namespace {

using Time = std::chrono::steady_clock;

class Pipe {
 public:
  Pipe() {
    if (pipe2(ends_.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe for a command");
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int reading() const { return ends_[0]; }
  int writing() const { return ends_[1]; }
  void close_end(std::size_t end) {
    if (ends_[end] >= 0) close(ends_[end]);
    ends_[end] = -1;
  }
  // False at the end of what is written.
  bool read_into(std::string& text) {
    std::array<char, 4096> buffer;
    const ssize_t count = read(reading(), buffer.data(), buffer.size());
    if (count > 0) text.append(buffer.data(), static_cast<std::size_t>(count));
    if (count <= 0) close_end(0);
    return count > 0;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

// Until both are at their end; false at the deadline.
bool read_all(Pipe& output, Pipe& errors, CommandOutcome& outcome, Time::time_point deadline) {
  while (output.reading() >= 0 || errors.reading() >= 0) {
    std::array<pollfd, 2> ends{pollfd{output.reading(), POLLIN, 0},
                               pollfd{errors.reading(), POLLIN, 0}};
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Time::now()).count();
    if (left <= 0) return false;
    if (poll(ends.data(), ends.size(), static_cast<int>(left)) <= 0) continue;
    if (ends[0].revents != 0) output.read_into(outcome.output);
    if (ends[1].revents != 0) errors.read_into(outcome.errors);
  }
  return true;
}

}  // namespace

CommandOutcome shell(const std::string& command, std::chrono::seconds limit) {
  Pipe output, errors;
  const auto deadline = Time::now() + limit;
  ChildProcess child([&] {
    dup2(output.writing(), STDOUT_FILENO);
    dup2(errors.writing(), STDERR_FILENO);
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    return 127;
  });
  output.close_end(1);
  errors.close_end(1);
  CommandOutcome outcome;
  const bool in_time = read_all(output, errors, outcome, deadline);
  const auto status = child.wait(in_time ? limit : std::chrono::seconds(0));
  if (status) outcome.status = std::max(-1, *status);
  if (!in_time || !status) {
    outcome.errors += "\nkilled after " + std::to_string(limit.count()) + " s: " + command + "\n";
  }
  return outcome;
}

}  // namespace edt::test
