// The warnings and errors in the logs of all ranks. What several ranks say at the same time is one
// warning.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "launcher/watch/followed_file.h"

namespace edt {

struct LogWarning {
  std::string time;  // local time of the rank, "2026-11-23T07:57:14.322"
  bool error = false;
  std::string text;
  int ranks = 1;
};

class LogWarnings {
 public:
  static constexpr std::size_t kKept = 200;
  // Of what a log holds already, this much is read.
  static constexpr std::uint64_t kLast = std::uint64_t{4} << 20;

  explicit LogWarnings(std::filesystem::path directory) : directory_(std::move(directory)) {}

  void refresh();
  // In the order of time; at most kKept.
  const std::deque<LogWarning>& list() const { return list_; }
  // Also of those that are no longer kept.
  std::int64_t count() const { return count_; }
  // Logs that could not be read, in words; empty: none.
  const std::string& problem() const { return problem_; }

 private:
  void follow_new_logs();
  void take(std::string_view line);

  std::filesystem::path directory_;
  std::map<std::string, FollowedFile> logs_;
  std::deque<LogWarning> list_;
  std::int64_t count_ = 0;
  std::string problem_;
};

}  // namespace edt
