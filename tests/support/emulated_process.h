// Emulators of one process (qemu-user) make up what it reads of itself in /proc; others see the
// truth.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace edt::test {

// Ticks since boot at which a process began (proc(5), field 22).
inline std::string start_of_process(const std::string& process) {
  std::ifstream stream("/proc/" + process + "/stat");
  std::string text, field;
  std::getline(stream, text);
  std::istringstream rest(text.substr(text.rfind(')') + 1));
  for (int i = 3; i <= 22; ++i) rest >> field;
  return field;
}

// Whether another process sees the same start of this one as it sees itself: locks go by it.
inline bool others_see_our_start() {
  const std::string own = start_of_process("self"), id = std::to_string(getpid());
  const pid_t child = fork();
  if (child == 0) _exit(start_of_process(id) == own ? 0 : 1);
  int status = 0;
  waitpid(child, &status, 0);
  return status == 0;
}

}  // namespace edt::test
