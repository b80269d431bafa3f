// Writes checkpoints while training goes on. save() copies the state at the step boundary; a thread
// writes the copy beside, syncs, reads it back, renames it and marks it complete. What goes wrong
// is reported at a later step boundary: training does not end because a disk is full.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor/device.h"
#include "parallel/checkpoint/manifest.h"
#include "parallel/checkpoint/retention.h"
#include "parallel/checkpoint/state.h"
#include "parallel/checkpoint/store.h"
#include "parallel/comm/communicator.h"

namespace edt {

// How one save ended; the same on every rank.
struct CheckpointReport {
  std::int64_t step = 0;
  std::filesystem::path path;
  std::uint64_t bytes = 0;
  double copy_seconds = 0;   // training stood still, waiting for an earlier save included
  double write_seconds = 0;  // in the background
  std::string error;         // empty: the checkpoint is complete
  bool is_of_disk = false;   // which was full, failed, or has a limit

  bool ok() const { return error.empty(); }
};

struct CheckpointWriterOptions {
  Retention keep;            // complete checkpoints that stay
  bool asynchronous = true;  // false: save() returns when all is done
  Device* device = nullptr;  // in whose memory the arrays lie; nullptr: the host's
  // Throws where this run may no longer write; called before each stage of a write, on all ranks.
  std::function<void()> may_write;
  // Called at each stage of a write: "begin", "data", "verified", "manifest", "published",
  // "complete". For tests that interrupt there.
  std::function<void(std::string_view stage)> on_stage;
};

// On the disk: a little more than this rank's fragments of `state` take, with all their arrays,
// whose values are not looked at.
std::uint64_t bytes_on_disk(const CheckpointState& state);
std::uint64_t bytes_on_disk(const std::vector<ExtraArray>& extras);

class CheckpointWriter {
 public:
  // `state` describes what every save() writes; its spans stay valid and in place. `ranks` becomes
  // the writer's own: it is used from the writing thread.
  CheckpointWriter(CheckpointStore store, std::unique_ptr<Communicator> ranks,
                   CheckpointState state, CheckpointWriterOptions options);
  // Waits for the last write.
  ~CheckpointWriter();

  // All ranks call it at the same step boundary. An earlier save is waited for first.
  void save(const CheckpointInfo& info, std::vector<ExtraArray> extras);
  void wait();

  // Saves that have ended since the last call. Call it at step boundaries, after wait() at the end.
  std::vector<CheckpointReport> take_reports();

  // Memory of the copy.
  std::size_t staging_bytes() const;
  // On the disk, all ranks together: a little more than a save will take.
  std::uint64_t disk_bytes(const std::vector<ExtraArray>& extras) const;

 private:
  struct Job;
  // A copy is made where the arrays change while they are written, or where files cannot be written
  // from them.
  bool makes_copy() const {
    return options_.asynchronous ||
           (options_.device != nullptr && !options_.device->in_host_memory());
  }
  void copy_to_staging();
  CheckpointReport write(Job& job) const;
  void write_stages(Job& job, CheckpointReport& report) const;
  // Does `work` on every rank, or on the root alone; throws on all ranks where one has failed.
  void run_stage(std::string_view stage, const std::function<void()>& work) const;
  void on_root(std::string_view stage, const std::function<void()>& work) const;
  Manifest describe(const CheckpointInfo& info) const;
  void write_data(const std::filesystem::path& file, const Job& job, Manifest& manifest) const;
  void retain(std::int64_t step) const;
  void abandon(std::int64_t step) const;

  CheckpointStore store_;
  std::unique_ptr<Communicator> ranks_;
  CheckpointState state_;
  CheckpointWriterOptions options_;
  std::vector<std::int64_t> offsets_;  // of the written fragments, in the arrays that are written
  std::uint64_t state_bytes_ = 0;      // of all ranks, on the disk
  // The written fragments of each array, one after the other; empty where no copy is made.
  std::vector<std::vector<float>> staging_;
  std::vector<CheckpointReport> reports_;
  std::future<CheckpointReport> running_;
};

// One synchronous write of this rank alone, e.g. of imported weights. Removes no other checkpoint.
void write_checkpoint(const CheckpointStore& store, const CheckpointState& state,
                      const CheckpointInfo& info, std::vector<ExtraArray> extras);

}  // namespace edt
