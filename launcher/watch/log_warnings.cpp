#include "launcher/watch/log_warnings.h"

#include <algorithm>

#include "core/base/error.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

// "2026-11-23T07:57:14.322 warning text", as core/base/log.cpp writes it.
constexpr std::size_t kTimeLength = 23, kToSecond = 19;

bool has_time(std::string_view line) {
  return line.size() > kTimeLength + 1 && line[4] == '-' && line[10] == 'T' && line[13] == ':' &&
         line[kTimeLength] == ' ';
}

// "rank-00003.log" and not "rank-00003.1.log", which is followed by its first name.
bool is_log(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with("rank-") && name.ends_with(".log") && std::ranges::count(name, '.') == 1;
}

}  // namespace

void LogWarnings::follow_new_logs() {
  std::error_code error;
  for (fs::directory_iterator item(directory_, error), end; !error && item != end;
       item.increment(error)) {
    const fs::path& path = item->path();
    if (!is_log(path) || logs_.contains(path.string())) continue;
    FollowedFile log(path);
    log.begin_with_last(kLast);
    // A log that was rotated lately: what went before stands in the one before.
    std::error_code ignored;
    fs::path earlier = path;
    earlier.replace_extension(".1.log");
    if (fs::file_size(path, ignored) < kLast && fs::exists(earlier, ignored)) {
      FollowedFile rotated(earlier);
      rotated.begin_with_last(kLast);
      rotated.look([this](std::string_view line) { take(line); });
    }
    logs_.emplace(path.string(), std::move(log));
  }
}

void LogWarnings::refresh() {
  problem_.clear();
  try {
    follow_new_logs();
    for (auto& [path, log] : logs_) {
      log.look([this](std::string_view line) { take(line); });
    }
  } catch (const Error& error) {
    problem_ = error.what();
  }
  while (list_.size() > kKept) list_.pop_front();
}

void LogWarnings::take(std::string_view line) {
  if (!has_time(line)) return;
  std::string_view text = line.substr(kTimeLength + 1);
  const bool error = text.starts_with("error ");
  if (!error && !text.starts_with("warning ")) return;
  text.remove_prefix(text.find(' ') + 1);
  const std::string_view time = line.substr(0, kTimeLength);
  // Where it belongs by time: logs are read one after the other.
  const auto place = std::ranges::upper_bound(list_, time, {}, &LogWarning::time);
  for (auto earlier = place; earlier != list_.begin();) {
    --earlier;
    if (earlier->time.compare(0, kToSecond, time, 0, kToSecond) != 0) break;
    if (earlier->text != text) continue;
    ++earlier->ranks;
    return;
  }
  ++count_;
  list_.insert(place, {std::string(time), error, std::string(text), 1});
}

}  // namespace edt
