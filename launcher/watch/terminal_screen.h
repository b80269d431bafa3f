// A terminal that is taken over for a while: alternate screen, no cursor, keys read one by one. It
// is given back as it was, also on Ctrl-C, Ctrl-Z and SIGTERM. Plain ANSI sequences are enough for
// frames that are drawn whole.
#pragma once

#include <termios.h>

#include <string>
#include <vector>

#include "launcher/watch/canvas.h"

namespace edt {

// What standard output can show: its size, colours unless NO_COLOR is set or it is no terminal,
// Unicode where the locale has UTF-8. COLUMNS and LINES say the size where there is no terminal.
Look look_of_output();
bool output_is_terminal();

class TerminalScreen {
 public:
  TerminalScreen();
  ~TerminalScreen();
  TerminalScreen(const TerminalScreen&) = delete;
  TerminalScreen& operator=(const TerminalScreen&) = delete;

  void show(const std::vector<std::string>& lines);
  // Waits so long, less when a key is pressed or the size changes. False: it is time to end.
  bool wait(double seconds);

 private:
  void enter();
  void leave();

  termios earlier_{};
  bool has_keys_ = false;
};

// Signals that ask to end, noted while the object lives; SIGWINCH and SIGTSTP too.
class WatchSignals {
 public:
  WatchSignals();
  ~WatchSignals();
  WatchSignals(const WatchSignals&) = delete;
  WatchSignals& operator=(const WatchSignals&) = delete;

  static bool end_requested();
  static bool take_suspension();  // Ctrl-Z since the last call
  // Waits; a signal ends it. False: it is time to end.
  static bool wait(double seconds);
};

}  // namespace edt
