#include "core/storage/directory_kind.h"

#include <array>
#include <string>

namespace edt {
namespace {

namespace fs = std::filesystem;

bool has_entry(const fs::path& directory, const char* name) {
  std::error_code ignored;
  return fs::exists(directory / name, ignored);
}

bool is_checkpoint(const fs::path& directory) {
  return has_entry(directory, "manifest.json") && has_entry(directory, "rank-0000.h5");
}

bool is_run(const fs::path& directory) {
  return has_entry(directory, "checkpoints") &&
         (has_entry(directory, "config.ini") || has_entry(directory, "generation"));
}

// "RUN/checkpoints", by whatever name of it.
bool is_checkpoints(const fs::path& directory) {
  std::error_code error;
  const fs::path whole = fs::canonical(directory, error);
  return !error && whole.filename() == "checkpoints" && is_run(whole.parent_path());
}

bool is_data_set(const fs::path& directory) {
  if (has_entry(directory, "provenance.json")) return true;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with("shard-") && name.ends_with(".h5")) return true;
  }
  return false;
}

}  // namespace

DirectoryKind kind_of_directory(const fs::path& directory) {
  if (is_checkpoint(directory)) return DirectoryKind::kCheckpoint;
  if (is_checkpoints(directory)) return DirectoryKind::kCheckpoints;
  if (is_run(directory)) return DirectoryKind::kRun;
  return is_data_set(directory) ? DirectoryKind::kDataSet : DirectoryKind::kOther;
}

std::string_view described(DirectoryKind kind) {
  constexpr std::array<std::string_view, 5> kTexts{"nothing of edt", "a run", "a checkpoint",
                                                   "the checkpoints of a run", "a data set"};
  return kTexts[static_cast<std::size_t>(kind)];
}

}  // namespace edt
