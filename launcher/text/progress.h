// How far long work has come: a bar on a terminal, a line every few seconds elsewhere, nothing when
// quiet or when a script reads the output.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>

namespace edt {

enum class ProgressStyle { kBar, kLines, kSilent };

// kBar when standard error is a terminal, kLines elsewhere, kSilent for --quiet and --json.
ProgressStyle progress_style(bool silent);

class Progress {
 public:
  struct Settings {
    std::string label;       // "train"
    std::string unit;        // what is counted: "steps"
    std::int64_t begin = 0;  // where a resumed run starts
    std::int64_t end = 0;    // where it is done; 0: not known
    ProgressStyle style = ProgressStyle::kLines;
    int columns = 0;                // 0: as wide as the terminal
    std::function<double()> clock;  // seconds; by default the steady clock
  };

  // Writes to `out`, usually standard error.
  Progress(Settings settings, std::ostream& out);
  // Ends the bar's line and says how long it took; nothing where an error ends the work.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `message` follows the numbers: "loss 0.123".
  void update(std::int64_t done, std::string_view message = "");

  // Prints a line of its own above the bar.
  void note(std::string_view line);

 private:
  std::string amount() const;
  std::string status() const;
  bool is_read() const;
  void draw();
  void erase();

  Settings settings_;
  std::ostream& out_;
  std::int64_t done_;
  std::string message_;
  double started_, drawn_;
  double recent_time_, recent_rate_ = 0;
  std::int64_t recent_done_;
  bool bar_visible_ = false;
  int exceptions_;  // under way when it began
};

}  // namespace edt
