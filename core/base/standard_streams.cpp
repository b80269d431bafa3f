#include "core/base/standard_streams.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>

namespace edt {

void take_standard_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free number, which is this one. For reading only: what is written there is lost,
    // and whoever writes has to know.
    if (open("/dev/null", O_RDONLY) < 0) _exit(1);
  }
  signal(SIGPIPE, SIG_IGN);
}

bool standard_output_has_no_reader() {
  pollfd state{STDOUT_FILENO, POLLOUT, 0};
  return poll(&state, 1, 0) > 0 && (state.revents & (POLLERR | POLLHUP)) != 0;
}

int standard_output_error() { return write(STDOUT_FILENO, "\n", 1) == 1 ? 0 : errno; }

bool standard_error_takes_lines() {
  static std::atomic<bool> stands_still{false};
  pollfd state{STDERR_FILENO, POLLOUT, 0};
  int ready = 0;
  do {
    ready = poll(&state, 1, stands_still ? 0 : 1000);
  } while (ready < 0 && errno == EINTR);
  stands_still = ready == 0;
  return ready != 0;
}

void write_standard_error(std::string_view line) {
  if (!standard_error_takes_lines()) return;
  const std::string whole = std::string(line) + '\n';
  [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, whole.data(), whole.size());
}

}  // namespace edt
