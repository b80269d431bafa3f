// The directory of one training run: who may write there, and where everything in it is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

#include "launcher/run_lock.h"
#include "parallel/communicator.h"

namespace edt {

class RunDirectory {
 public:
  // Creates the directory where needed. Throws UsageError when it is no directory, cannot be
  // written or is in use. All ranks call it; the first one creates and locks, the others wait.
  RunDirectory(std::filesystem::path path, Communicator& ranks);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path config() const { return path_ / "config.ini"; }
  std::filesystem::path metrics() const { return path_ / "metrics.jsonl"; }
  std::filesystem::path tensorboard() const { return path_ / "tensorboard"; }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  std::filesystem::path samples() const { return path_ / "samples"; }
  // "samples/step-00001000.png".
  std::filesystem::path sample_grid(std::int64_t step) const;
  std::filesystem::path log(int rank) const;

  // Replaces config.ini at once or not at all.
  void write_config(std::string_view ini) const;
  // From now on messages also go to the log file of this rank.
  void open_log() const;

 private:
  std::filesystem::path path_;
  int rank_;
  std::optional<RunLock> lock_;
};

}  // namespace edt
