// Checkpoints and sample pictures of a run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace edt {

struct CheckpointFile {
  std::int64_t step = 0;
  double time = 0;          // when it was complete, seconds since 1970
  std::uint64_t bytes = 0;  // 0: unknown
  bool intact = false;      // marked, the manifest matches the marker, every file has its size
  std::string problem;      // why not
};

// Opening a checkpoint reads its manifest; one that was seen before is not opened again.
class CheckpointList {
 public:
  explicit CheckpointList(std::filesystem::path directory) : directory_(std::move(directory)) {}

  void refresh();
  // Newest first; those that a resume set aside as damaged are among them.
  const std::vector<CheckpointFile>& files() const { return files_; }

 private:
  std::filesystem::path directory_;
  std::vector<CheckpointFile> files_;
  std::map<std::string, CheckpointFile> known_;  // by path and time
};

struct SampleFile {
  std::filesystem::path path;
  std::int64_t step = 0;
  double time = 0;
};

// samples/step-*.png, newest first.
std::vector<SampleFile> list_samples(const std::filesystem::path& directory);

}  // namespace edt
