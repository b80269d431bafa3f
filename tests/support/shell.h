// Commands as a shell runs them.
#pragma once

#include <chrono>
#include <string>

namespace edt::test {

struct CommandOutcome {
  int status = -1;     // -1: ended by a signal, or killed at the limit
  std::string output;  // standard output
  std::string errors;  // standard error
};

// The limit is there for commands that hang: at it, the command and what it has started are killed,
// and `errors` says so.
CommandOutcome shell(const std::string& command,
                     std::chrono::seconds limit = std::chrono::seconds(120));

}  // namespace edt::test
