// The record of one step of one rank: step-00000003.rank-0.jsonl, a line for the header, one for
// each call, and one that says how many there were; beside it, where values are kept, their bytes
// (.values). Complete or not there. docs/formats.md has the fields.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/record/record.h"
#include "core/storage/durable_file.h"

namespace edt {

// Of a run.
std::filesystem::path record_directory(const std::filesystem::path& run);
std::filesystem::path step_file(const std::filesystem::path& directory, std::int64_t step,
                                int rank);
std::filesystem::path values_file(const std::filesystem::path& step_file);

class StepFileWriter {
 public:
  StepFileWriter(const std::filesystem::path& directory, RecordHeader header);

  // Where they begin in the file of values.
  std::int64_t keep_values(std::span<const std::byte> bytes);
  // Writes the calls, and both files take their names.
  void finish(std::span<const RecordedCall> calls);

 private:
  std::filesystem::path path_;
  RecordHeader header_;
  std::unique_ptr<DurableFile> values_;  // null: none are kept so far
};

struct RecordedFile {
  std::filesystem::path path;
  RecordHeader header;
  std::vector<RecordedCall> calls;
};

// DataError where it is missing, cut off or damaged.
RecordedFile read_step_file(const std::filesystem::path& path);
// Of one of its tensors, as double. DataError likewise.
std::vector<double> read_values(const RecordedFile& file, const RecordedTensor& tensor);

}  // namespace edt
