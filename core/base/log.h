// Leveled log lines to standard error and, once opened, to the log file of this rank.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <string_view>

namespace edt::log {

enum class Level { kDebug, kInfo, kWarning, kError };

// Messages below `level` are dropped.
void set_level(Level level);

// Of those, standard error receives the ones from `level` on.
void set_console_level(Level level);

// Also writes every message to `file` (appending), as long as `may_write` says so. A file that has
// grown to 64 MiB is renamed to NAME.1.EXT, three of those are kept. Throws SystemError when it
// cannot be opened.
void open_file(const std::filesystem::path& file, std::function<bool()> may_write = {});

void flush();
void write(Level level, std::string_view message);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace edt::log
