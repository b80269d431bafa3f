#include "launcher/text/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <iostream>

#include "core/base/standard_streams.h"
#include "launcher/text/report.h"

namespace edt {
namespace {

constexpr double kBarInterval = 0.1;  // seconds between redraws
constexpr double kLineInterval = 5;   // seconds between lines
constexpr double kRateMemory = 10;    // seconds over which the rate is averaged
constexpr int kBarWidth = 24;
constexpr const char* kEraseLine = "\r\x1b[K";

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int terminal_columns() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

std::string bar(double share) {
  const int filled = static_cast<int>(share * kBarWidth);
  return fmt::format("[{:#<{}}{:.<{}}]", "", filled, "", kBarWidth - filled);
}

}  // namespace

ProgressStyle progress_style(bool silent) {
  if (silent) return ProgressStyle::kSilent;
  return isatty(STDERR_FILENO) ? ProgressStyle::kBar : ProgressStyle::kLines;
}

Progress::Progress(Settings settings, std::ostream& out)
    : settings_(std::move(settings)),
      out_(out),
      done_(settings_.begin),
      exceptions_(std::uncaught_exceptions()) {
  if (!settings_.clock) settings_.clock = steady_seconds;
  started_ = recent_time_ = drawn_ = settings_.clock();
  recent_done_ = done_;
  if (settings_.style == ProgressStyle::kBar) draw();
}

Progress::~Progress() {
  if (settings_.style == ProgressStyle::kSilent || !is_read()) return;
  erase();
  out_ << std::flush;
  if (std::uncaught_exceptions() > exceptions_) return;  // what went wrong is what counts
  out_ << fmt::format("{}: {} in {}\n", settings_.label, amount(),
                      human_duration(settings_.clock() - started_))
       << std::flush;
}

void Progress::update(std::int64_t done, std::string_view message) {
  if (settings_.style == ProgressStyle::kSilent) return;
  done_ = done;
  message_ = message;
  const double now = settings_.clock();
  const double interval = settings_.style == ProgressStyle::kBar ? kBarInterval : kLineInterval;
  if (now - drawn_ < interval) return;
  // A mean that forgets, so that the rate follows a change of pace.
  const double elapsed = now - recent_time_;
  const double rate_now = static_cast<double>(done_ - recent_done_) / elapsed;
  const double weight = recent_rate_ == 0 ? 1 : 1 - std::exp(-elapsed / kRateMemory);
  recent_rate_ += weight * (rate_now - recent_rate_);
  recent_time_ = now;
  recent_done_ = done_;
  drawn_ = now;
  draw();
}

void Progress::note(std::string_view line) {
  if (settings_.style == ProgressStyle::kSilent || !is_read()) return;
  erase();
  out_ << line << '\n';
  if (settings_.style == ProgressStyle::kBar) draw();
  out_ << std::flush;
}

std::string Progress::amount() const {
  const std::string of = settings_.end > 0 ? fmt::format("/{}", settings_.end) : "";
  return fmt::format("{}{} {}", done_, of, settings_.unit);
}

std::string Progress::status() const {
  std::string text = amount();
  if (recent_rate_ > 0) {
    const double left = static_cast<double>(std::max<std::int64_t>(settings_.end - done_, 0));
    text += recent_rate_ >= 1 ? fmt::format("  {:.3g}/s", recent_rate_)
                              : fmt::format("  {:.3g} s each", 1 / recent_rate_);
    if (settings_.end > 0) text += "  " + human_duration(left / recent_rate_) + " left";
  }
  return message_.empty() ? text : text + "  " + message_;
}

// Work does not wait for somebody who looks away.
bool Progress::is_read() const { return &out_ != &std::cerr || standard_error_takes_lines(); }

void Progress::draw() {
  if (!is_read()) return;
  if (settings_.style == ProgressStyle::kLines) {
    out_ << settings_.label << ": " << status() << std::endl;
    return;
  }
  const double share =
      settings_.end > 0
          ? std::clamp(static_cast<double>(done_) / static_cast<double>(settings_.end), 0.0, 1.0)
          : 0;
  std::string line = fmt::format("{} {} {:3.0f}%  {}", settings_.label, bar(share),
                                 std::floor(share * 100), status());
  const int columns = settings_.columns > 0 ? settings_.columns : terminal_columns();
  line.resize(std::min(line.size(), static_cast<std::size_t>(std::max(columns - 1, 1))));
  out_ << kEraseLine << line << std::flush;
  bar_visible_ = true;
}

void Progress::erase() {
  if (bar_visible_) out_ << kEraseLine;
  bar_visible_ = false;
}

}  // namespace edt
