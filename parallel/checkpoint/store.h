// The directory in which a run keeps its checkpoints, and the states a checkpoint goes through:
//
//   .step-000123.7.partial/ being written by generation 7 of the run; nothing reads it
//   step-000123/            in place, not yet marked; recover() marks it where it is whole
//   step-000123/complete    marked: the only kind that is ever loaded
//   .step-000123.old/       a marked one that is being replaced by the same step
//   step-000123.damaged/    set aside by a resume that found it damaged
//   .step-000123.7.removed/ no longer kept, being removed by generation 7
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "parallel/checkpoint/retention.h"

namespace edt {

class CheckpointStore {
 public:
  // `generation` tells writers apart that may be at the same step at the same time: one of a run
  // that was given up, and the one that replaced it.
  explicit CheckpointStore(std::filesystem::path directory, std::uint64_t generation = 0);

  struct Entry {
    std::int64_t step = 0;
    std::filesystem::path path;
    bool complete = false;  // marked
  };
  // Newest first. Empty when the directory does not exist.
  std::vector<Entry> entries() const;

  const std::filesystem::path& directory() const { return directory_; }
  std::filesystem::path path_of(std::int64_t step) const;
  std::filesystem::path partial_path_of(std::int64_t step) const;

  // The protocol of the writer, one step each.
  void make() const;  // its directory, but none above it: a run's that was moved away stays away
  void begin(std::int64_t step) const;    // an empty partial directory
  void publish(std::int64_t step) const;  // renames; a former checkpoint of that step moves aside
  void mark_complete(std::int64_t step, std::uint64_t manifest_checksum) const;

  // Undoes a write of `step` that did not get as far as its marker. Never throws.
  void abandon(std::int64_t step) const;

  // Undoes an interrupted replacement. One that only lacks its mark (its writer was killed between
  // the last two steps, or the mark was lost) is read, and marked again where every byte is as its
  // manifest says. Nothing is removed but what has an intact twin.
  void recover() const;
  // Removes what a killed run left half-written.
  void clean_up() const;
  // After the save of `step`: removes those marked checkpoints up to that step that do not stay.
  // Each takes another name at once, in one step, before its files go, so that no reader and no
  // crash finds half of it. `may_write` is asked before each and throws where this run has been
  // replaced.
  void retain(const Retention& retention, std::int64_t step,
              const std::function<void()>& may_write = {}) const;
  // Removes the marked ones of later steps, as retain() does; how many.
  int remove_after(std::int64_t step, const std::function<void()>& may_write = {}) const;
  // The marked ones, as a retention sees them; losses are read where it asks for the best.
  std::vector<RankedStep> ranked(const Retention& retention) const;
  // Renames a damaged checkpoint, so that it counts no longer but can be looked at; earlier ones of
  // that step stay.
  void set_aside(const Entry& entry) const;

 private:
  std::filesystem::path old_path_of(std::int64_t step) const;
  void remove(std::int64_t step) const;

  std::filesystem::path directory_;
  std::uint64_t generation_;
};

// The step in a name like "step-000123"; nothing for any other name.
std::optional<std::int64_t> step_of(std::string_view name);

}  // namespace edt
