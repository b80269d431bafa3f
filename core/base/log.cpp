#include "core/base/log.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <filesystem>
#include <iostream>
#include <memory>
#include <mutex>

#include "core/base/error.h"
#include "core/base/standard_streams.h"

namespace edt::log {
namespace {

// Standard error, for whoever listens: lines are dropped, and counted, while nobody does.
class Console final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  Console() { stream_.set_pattern("%H:%M:%S %^%l%$ %v"); }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (!standard_error_takes_lines()) {
      ++missed_;
      return;
    }
    if (missed_ > 0) {
      const std::string text = fmt::format("{} lines before this one found no reader", missed_);
      stream_.log({message.logger_name, spdlog::level::warn, text});
      missed_ = 0;
    }
    stream_.log(message);
  }
  void flush_() override {}  // each line is written at once

  spdlog::sinks::stderr_color_sink_st stream_;
  std::int64_t missed_ = 0;
};

// A log file that cannot be written (a full disk) is no reason to stop, or to say it for each line.
void say_once(const std::string& problem) {
  static std::atomic<bool> is_said{false};
  if (is_said.exchange(true) || !standard_error_takes_lines()) return;
  std::cerr << fmt::format("edt: warning: [log] {}\n", problem) << std::flush;
}

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto created = std::make_shared<spdlog::logger>("edt", std::make_shared<Console>());
    created->flush_on(spdlog::level::info);  // what was said before a kill is in the file
    created->set_error_handler(say_once);
    return created;
  }();
  return *instance;
}

// A file that is written only while somebody says that it may be.
class GatedFile final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  GatedFile(const std::filesystem::path& file, std::function<bool()> may_write)
      : path_(file), may_write_(std::move(may_write)) {
    open();
  }

 private:
  static constexpr std::size_t kLargest = std::size_t{64} << 20, kKept = 3;

  void sink_it_(const spdlog::details::log_msg& message) override {
    if (may_write_ && !may_write_()) return;
    // Somebody may have tidied up. A folder that is gone is made again by whoever knows its use.
    std::error_code unknown;
    const bool is_gone = !std::filesystem::exists(path_, unknown) && !unknown &&
                         std::filesystem::exists(path_.parent_path(), unknown);
    if (is_gone) open();
    file_->log(message);
  }
  void flush_() override { file_->flush(); }

  void open() {
    file_ = std::make_unique<spdlog::sinks::rotating_file_sink_st>(path_.string(), kLargest, kKept);
    file_->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  }

  std::filesystem::path path_;
  std::unique_ptr<spdlog::sinks::rotating_file_sink_st> file_;
  std::function<bool()> may_write_;
};

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarning:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

void set_level(Level level) { logger().set_level(to_spdlog(level)); }

void set_console_level(Level level) { logger().sinks().front()->set_level(to_spdlog(level)); }

void open_file(const std::filesystem::path& file, std::function<bool()> may_write) {
  try {
    logger().sinks().push_back(std::make_shared<GatedFile>(file, std::move(may_write)));
  } catch (const spdlog::spdlog_ex& error) {
    fail<SystemError>("log", "cannot open {}: {}", file.string(), error.what());
  }
}

void flush() { logger().flush(); }

void write(Level level, std::string_view message) { logger().log(to_spdlog(level), message); }

}  // namespace edt::log
