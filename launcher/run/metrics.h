// metrics.jsonl: one JSON object per step, every step exactly once, also after a resume.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "launcher/run/append_file.h"

namespace edt {

// "metrics.jsonl.1", or the next number that is not taken.
std::filesystem::path free_name(const std::filesystem::path& file);

class MetricsWriter {
 public:
  // Goes on at `first_step`: drops records of that step and later ones, and a torn last line, from
  // an existing file. Warns when steps before it are missing; where there is anything else behind
  // them, the file as it was is kept under another name. `may_write` as in AppendFile. Throws
  // SystemError.
  MetricsWriter(const std::filesystem::path& file, std::int64_t first_step,
                std::function<void()> may_write = {});

  // Appends {"step": step, ...values} as one line, which readers see at once. NaN and infinity
  // become null. Steps must increase.
  void write(std::int64_t step, const nlohmann::ordered_json& values);

  // On the disk when it returns: call before a checkpoint that covers the steps is complete.
  void sync() { file_.sync(); }

 private:
  AppendFile file_;
  std::int64_t next_step_;
};

}  // namespace edt
