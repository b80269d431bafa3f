// Commands as a shell runs them.
#pragma once

#include <stdio.h>
#include <sys/wait.h>

#include <string>

namespace edt::test {

struct CommandOutcome {
  int status = -1;     // -1: ended by a signal
  std::string output;  // standard output
};

inline CommandOutcome shell(const std::string& command) {
  CommandOutcome outcome;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return outcome;
  char buffer[4096];
  while (const std::size_t count = fread(buffer, 1, sizeof buffer, pipe)) {
    outcome.output.append(buffer, count);
  }
  const int status = pclose(pipe);
  if (WIFEXITED(status)) outcome.status = WEXITSTATUS(status);
  return outcome;
}

}  // namespace edt::test
