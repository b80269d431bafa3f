// Processes that tests start. They end with their guard, and with the test program where that is
// killed: no test leaves one behind, however it ends.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace edt::test {

class ChildProcess {
 public:
  // `command` as a shell runs it; "exec program ..." makes the process the program itself.
  explicit ChildProcess(const std::string& command);
  // `body` in a copy of this process, ending with its value. Of the caller's threads the copy has
  // none but the one that makes it.
  explicit ChildProcess(const std::function<int()>& body);
  // Kills it and what it has started.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t id() const { return id_; }
  void send(int signal_number) const;
  bool ended();
  // The exit status, or minus the signal that ended it; nothing where it had to be killed at the
  // limit.
  std::optional<int> wait(std::chrono::seconds limit = std::chrono::seconds(120));

 private:
  pid_t id_;
  std::optional<int> status_;
};

// How `body` ends in a copy of this process; -1000 where it hangs.
int status_in_child(const std::function<int()>& body);

}  // namespace edt::test
