// The directory of one training run: who may write there, and where everything in it is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "core/storage/held_directory.h"
#include "launcher/run/fencing_token.h"
#include "launcher/run/run_lock.h"
#include "parallel/comm/communicator.h"

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
  std::filesystem::path averages() const { return path_ / "averages"; }
  std::filesystem::path samples() const { return path_ / "samples"; }
  // "samples/step-00001000.png".
  std::filesystem::path sample_grid(std::int64_t step) const;
  std::filesystem::path log(int rank) const;

  // Files that a user creates: save now; stop, and stay stopped as long as the file is there.
  std::filesystem::path save_switch() const { return path_ / "save"; }
  std::filesystem::path stop_switch() const { return path_ / "stop"; }

  // Of this run; every writer checks it.
  const FencingToken& token() const { return *token_; }

  // To be called by the first rank before it writes of a step. Throws DiskError where the directory
  // was removed or renamed meanwhile, or another one has its name; folders in it that are missing
  // are made anew, with a warning.
  void require_kept(std::int64_t step);

  // Replaces config.ini at once or not at all, and removes the outcome of the run before, so that
  // one that is killed leaves none.
  void begin(std::string_view configuration) const;
  // How the present run ended: outcome.json. Nothing is written where the directory has not its
  // name any more.
  std::filesystem::path outcome() const { return path_ / "outcome.json"; }
  void write_outcome(int status, std::int64_t step, std::string_view what) const;
  // The newest step that was saved, as far as the metrics or the outcome of the run before know it;
  // 0: none. To be asked before begin().
  std::int64_t saved_step() const;
  // Gives the metrics another name, so that a run that begins anew loses none.
  void set_metrics_aside() const;
  // Removes what this start has made, and nothing that was there before: where it is refused before
  // begin(). The directory must not be used afterwards.
  void take_back();
  // From now on messages also go to the log file of this rank.
  void open_log() const;

 private:
  [[noreturn]] void fail_gone(std::int64_t step) const;
  void keep_part(HeldDirectory& part, std::int64_t step);
  void make(const std::filesystem::path& directory, std::vector<std::filesystem::path>& made);

  std::filesystem::path path_;
  int rank_;
  std::vector<HeldDirectory> held_;  // of the first rank: the directory, then its folders
  // Of the first rank, by this start: folders down to the directory, outer ones first, and what is
  // within it.
  std::vector<std::filesystem::path> made_folders_, made_parts_;
  std::optional<RunLock> lock_;  // of the first rank
  std::optional<FencingToken> token_;
};

}  // namespace edt
