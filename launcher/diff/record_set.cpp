#include "launcher/diff/record_set.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "core/base/error.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

// Of "step-00000003.rank-0.jsonl"; 0: it is not the first rank's.
std::int64_t step_of_name(const std::string& name) {
  constexpr std::string_view kBegin = "step-", kEnd = ".rank-0.jsonl";
  if (!name.starts_with(kBegin) || !name.ends_with(kEnd)) return 0;
  const char* const end = name.data() + name.size() - kEnd.size();
  std::int64_t step = 0;
  const auto read = std::from_chars(name.data() + kBegin.size(), end, step);
  return read.ec == std::errc() && read.ptr == end ? step : 0;
}

std::set<std::int64_t> steps_in(const fs::path& directory) {
  std::set<std::int64_t> steps;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (const std::int64_t step = step_of_name(entry.path().filename().string())) {
      steps.insert(step);
    }
  }
  return steps;
}

std::vector<RecordedFile> read_step(const fs::path& directory, std::int64_t step) {
  std::vector<RecordedFile> files;
  int ranks = 1;
  for (int rank = 0; rank < ranks; ++rank) {
    const fs::path path = step_file(directory, step, rank);
    require<DataError>(fs::exists(path), "record", "{}: missing, the step has {} ranks",
                       path.string(), ranks);
    files.push_back(read_step_file(path));
    const RecordHeader& header = files.back().header;
    if (rank == 0) ranks = std::max(1, header.ranks);
    require<DataError>(header.step == step && header.rank == rank && header.ranks == ranks,
                       "record",
                       "{}: is of step {}, rank {} of {}, must be of step {}, rank {} of {}",
                       path.string(), header.step, header.rank, header.ranks, step, rank, ranks);
    require<DataError>(header.configuration == files.front().header.configuration, "record",
                       "{}: its configuration is another than rank 0's", path.string());
  }
  return files;
}

}  // namespace

RecordSet read_records(const fs::path& path) {
  std::error_code ignored;
  const fs::path inside = record_directory(path);
  RecordSet set{.directory = fs::is_directory(inside, ignored) ? inside : path};
  require<DataError>(fs::is_directory(set.directory, ignored), "record",
                     "{}: there is no such directory", path.string());
  const std::set<std::int64_t> steps = steps_in(set.directory);
  require<DataError>(!steps.empty(), "record",
                     "{}: no records of steps; edt train --run.record-steps writes them",
                     set.directory.string());
  for (const std::int64_t step : steps) set.steps[step] = read_step(set.directory, step);
  return set;
}

}  // namespace edt
