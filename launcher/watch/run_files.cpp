#include "launcher/watch/run_files.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "core/base/error.h"
#include "parallel/checkpoint/checkpoint.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDamaged = ".damaged";

// 0: there is no such file.
double time_of(const fs::path& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return 0;
  return static_cast<double>(status.st_mtim.tv_sec) +
         static_cast<double>(status.st_mtim.tv_nsec) * 1e-9;
}

std::string without_prefix(const std::string& message, const std::string& path) {
  std::string text = message;
  if (const auto bracket = text.find("] "); text.starts_with('[') && bracket != text.npos) {
    text.erase(0, bracket + 2);
  }
  if (text.starts_with(path)) text.erase(0, path.size());
  text.erase(0, text.find_first_not_of(" :/"));
  return text;
}

CheckpointFile look_at(const fs::path& path, std::int64_t step, double time) {
  CheckpointFile file{.step = step, .time = time, .bytes = 0, .intact = false, .problem = {}};
  try {
    const Checkpoint checkpoint = Checkpoint::open(path);
    file.bytes = checkpoint.bytes();
    file.intact = true;
  } catch (const Error& error) {
    file.problem = without_prefix(error.what(), path.string());
  }
  return file;
}

std::vector<fs::path> children(const fs::path& directory) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator item(directory, error), end; !error && item != end;
       item.increment(error)) {
    paths.push_back(item->path());
  }
  return paths;
}

}  // namespace

void CheckpointList::refresh() {
  std::map<std::string, CheckpointFile> known;
  files_.clear();
  for (const fs::path& path : children(directory_)) {
    std::string name = path.filename().string();
    const bool set_aside = name.ends_with(kDamaged);
    if (set_aside) name.resize(name.size() - kDamaged.size());
    const auto step = step_of(name);
    if (!step) continue;
    const double marked = time_of(path / kMarkerName), time = marked > 0 ? marked : time_of(path);
    const std::string key = fmt::format("{} {}", path.string(), time);
    CheckpointFile file;
    if (set_aside) {
      file = {.step = *step,
              .time = time,
              .bytes = 0,
              .intact = false,
              .problem = "damaged, set aside"};
    } else if (const auto seen = known_.find(key); seen != known_.end() && seen->second.intact) {
      file = seen->second;
    } else {
      file = look_at(path, *step, time);
    }
    known[key] = file;
    files_.push_back(std::move(file));
  }
  known_ = std::move(known);
  std::ranges::sort(files_, std::greater<>(),
                    [](const CheckpointFile& f) { return std::pair(f.step, f.intact); });
}

std::vector<SampleFile> list_samples(const fs::path& directory) {
  std::vector<SampleFile> files;
  for (const fs::path& path : children(directory)) {
    if (path.extension() != ".png") continue;
    const auto step = step_of(path.stem().string());
    if (step) files.push_back({path, *step, time_of(path)});
  }
  std::ranges::sort(files, std::greater<>(), &SampleFile::step);
  return files;
}

}  // namespace edt
