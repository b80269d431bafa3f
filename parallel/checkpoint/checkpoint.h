// A complete checkpoint on disk: opened, verified, loaded into any layout.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "parallel/checkpoint/manifest.h"
#include "parallel/checkpoint/store.h"
#include "parallel/comm/communicator.h"

namespace edt {

// What a checkpoint may have that the reader lacks, and the other way around.
enum class PartsRule {
  kEqual,     // nothing: a run goes on
  kNetwork,   // it may have parts that only training uses: its network is read
  kBeginning  // and it may lack whole parts: a run begins with its weights
};

class Checkpoint {
 public:
  // Reads marker and manifest and looks at the sizes of the files. CheckpointError when the
  // checkpoint is incomplete or these disagree.
  static Checkpoint open(const std::filesystem::path& directory);

  // Reads all of one that has no marker; the checksum that the marker needs. CheckpointError where
  // anything is not as the manifest says.
  static std::uint64_t verify_unmarked(const std::filesystem::path& directory);

  const std::filesystem::path& path() const { return path_; }
  const Manifest& manifest() const { return manifest_; }
  const CheckpointInfo& info() const { return manifest_.info; }
  std::uint64_t bytes() const;  // of the rank files

  // Reads every byte and compares with the checksums; CheckpointError names the first file that is
  // damaged. With several ranks, each passes its own rank and all together verify everything.
  void verify(int rank = 0, int ranks = 1) const;

  // Where each expected tensor stands among those of the checkpoint, whatever their order; kLacking
  // where the rule lets it lack. CheckpointError with one line that names the first difference.
  static constexpr std::size_t kLacking = static_cast<std::size_t>(-1);
  std::vector<std::size_t> find_tensors(std::span<const LogicalTensor> expected,
                                        PartsRule rule = PartsRule::kEqual) const;
  void require_arrays(std::span<const StateArray> expected) const;

  // Fills the arrays of `state` for its fragments, whatever layout wrote the checkpoint; what the
  // rule lets lack stays as it is. Everything is checked before the first value changes, except
  // that a file that has rotted since verify() is found on the way.
  void load(const CheckpointState& state, PartsRule rule = PartsRule::kEqual) const;

  // One whole tensor of one array.
  std::vector<float> read_tensor(std::string_view array, std::size_t tensor) const;
  // Nothing where the checkpoint has no such array.
  std::optional<ExtraArray> extra(std::string_view name) const;

 private:
  Checkpoint(std::filesystem::path path, Manifest manifest)
      : path_(std::move(path)), manifest_(std::move(manifest)) {}

  std::filesystem::path path_;
  Manifest manifest_;
};

// Why a checkpoint was not taken.
struct RejectedCheckpoint {
  CheckpointStore::Entry entry;
  std::string reason;
};

struct CheckpointChoice {
  std::optional<Checkpoint> checkpoint;  // nothing: there is no intact one
  std::vector<RejectedCheckpoint> rejected;
};

// The newest checkpoint of a run that is complete and intact. Each one that is skipped on the way
// gets a log line that says why.
CheckpointChoice newest_intact(const CheckpointStore& store);
// The same for several ranks, which all call it: each verifies its share of the files, and a
// checkpoint counts only when all ranks find their shares intact.
CheckpointChoice newest_intact(const CheckpointStore& store, Communicator& ranks);

// The checkpoints at a path that a user named: a run directory, which has them in "checkpoints", or
// that directory itself.
CheckpointStore store_at(const std::filesystem::path& path);

// A checkpoint named by a user: its own directory, or a path for store_at(), of which the newest
// intact one is taken. CheckpointError when there is none.
Checkpoint find_checkpoint(const std::filesystem::path& path);

}  // namespace edt
