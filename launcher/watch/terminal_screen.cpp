#include "launcher/watch/terminal_screen.h"

#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "core/base/signal_stack.h"

namespace edt {
namespace {

constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH};
volatile sig_atomic_t end_signal = 0, suspend_signal = 0;
std::array<struct sigaction, kSignals.size()> earlier_actions;

void on_signal(int number) {
  if (number == SIGTSTP) {
    suspend_signal = 1;
  } else if (number != SIGWINCH) {
    end_signal = 1;
  }
}

void write_out(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(STDOUT_FILENO, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;  // the terminal is gone; SIGHUP says so
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

int number_in(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  const int number = text ? std::atoi(text) : 0;
  return number > 0 ? std::min(number, 1000) : otherwise;
}

// Ends early on a signal or, with `keys`, when there is something to read.
void pause_for(double seconds, bool keys) {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  poll(&input, keys ? 1 : 0, static_cast<int>(seconds * 1000));
}

}  // namespace

bool output_is_terminal() { return isatty(STDOUT_FILENO) != 0; }

Look look_of_output() {
  setlocale(LC_CTYPE, "");
  Look look;
  look.columns = number_in("COLUMNS", 80);
  look.rows = number_in("LINES", 40);
  look.unicode = std::string_view(nl_langinfo(CODESET)) == "UTF-8";
  winsize size{};
  if (!output_is_terminal()) return look;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    look.columns = size.ws_col;
    look.rows = size.ws_row;
  }
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  look.colours = !(no_colour && *no_colour) && terminal && std::strcmp(terminal, "dumb") != 0;
  return look;
}

WatchSignals::WatchSignals() {
  end_signal = 0;
  suspend_signal = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = kOnSignalStack;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], &action, &earlier_actions[i]);
  }
}

WatchSignals::~WatchSignals() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], &earlier_actions[i], nullptr);
  }
}

bool WatchSignals::end_requested() { return end_signal != 0; }

bool WatchSignals::take_suspension() {
  const bool came = suspend_signal != 0;
  suspend_signal = 0;
  return came;
}

bool WatchSignals::wait(double seconds) {
  if (!end_requested()) pause_for(seconds, false);
  if (take_suspension()) raise(SIGSTOP);
  return !end_requested();
}

TerminalScreen::TerminalScreen() {
  has_keys_ = isatty(STDIN_FILENO) != 0 && tcgetattr(STDIN_FILENO, &earlier_) == 0;
  enter();
}

TerminalScreen::~TerminalScreen() { leave(); }

void TerminalScreen::enter() {
  if (has_keys_) {
    termios keys = earlier_;
    keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &keys);
  }
  write_out("\x1b[?1049h\x1b[?25l\x1b[2J");
}

void TerminalScreen::leave() {
  write_out("\x1b[0m\x1b[?25h\x1b[?1049l");
  if (has_keys_) tcsetattr(STDIN_FILENO, TCSANOW, &earlier_);
}

// One write: the frame before is overwritten, not wiped, so nothing flickers.
void TerminalScreen::show(const std::vector<std::string>& lines) {
  std::string text = "\x1b[H";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) text += "\r\n";
    text += lines[i] + "\x1b[K";
  }
  write_out(text + "\x1b[J");
}

bool TerminalScreen::wait(double seconds) {
  if (!WatchSignals::end_requested()) pause_for(seconds, has_keys_);
  if (WatchSignals::take_suspension()) {
    leave();
    raise(SIGSTOP);
    enter();
  }
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  while (has_keys_ && poll(&input, 1, 0) > 0) {
    char key = 0;
    if (read(STDIN_FILENO, &key, 1) <= 0) {
      has_keys_ = false;
    } else if (key == 'q' || key == 'Q') {
      return false;
    }
  }
  return !WatchSignals::end_requested();
}

}  // namespace edt
