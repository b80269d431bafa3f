// The records of one run: of each recorded step what all its ranks have called.
#pragma once

#include <filesystem>
#include <map>
#include <vector>

#include "core/record/step_file.h"

namespace edt {

struct RecordSet {
  std::filesystem::path directory;
  std::map<std::int64_t, std::vector<RecordedFile>> steps;  // by rank

  const RecordHeader& header() const { return steps.begin()->second.front().header; }
};

// Of a run directory, or the directory of its records. DataError where there is none, or a file is
// missing or damaged.
RecordSet read_records(const std::filesystem::path& path);

}  // namespace edt
