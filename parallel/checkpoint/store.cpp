#include "parallel/checkpoint/store.h"

#include <algorithm>
#include <charconv>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/storage/access.h"
#include "core/storage/checksum.h"
#include "core/storage/durable_file.h"
#include "parallel/checkpoint/checkpoint.h"
#include "parallel/checkpoint/manifest.h"

namespace edt {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPrefix = "step-";
constexpr std::string_view kPartial = ".partial";
constexpr std::string_view kOld = ".old";

std::string name_of_step(std::int64_t step) { return fmt::format("{}{:06}", kPrefix, step); }

constexpr std::string_view kRemoved = ".removed";

// False where that cannot be seen: whoever opens it says why.
bool is_marked(const fs::path& checkpoint) {
  std::error_code ignored;
  return fs::exists(checkpoint / kMarkerName, ignored);
}

// "step-000123" of ".step-000123.old"; empty for other names.
std::string base_of_old(std::string_view name) {
  if (!name.starts_with('.') || !name.ends_with(kOld)) return {};
  const std::string base(name.substr(1, name.size() - kOld.size() - 1));
  const auto step = step_of(base);
  return step && name_of_step(*step) == base ? base : std::string();
}

bool is_partial(std::string_view name) {
  return name.starts_with(fmt::format(".{}", kPrefix)) && name.ends_with(kPartial);
}

bool is_removed(std::string_view name) {
  return name.starts_with(fmt::format(".{}", kPrefix)) && name.ends_with(kRemoved);
}

// Nothing where it is damaged, or was written without one.
std::optional<double> rank_of(const fs::path& checkpoint, const std::string& by) {
  try {
    const CheckpointInfo info = Checkpoint::open(checkpoint).info();
    if (by.empty()) return info.smoothed_loss;
    const auto found = info.judged.find(by);
    return found == info.judged.end() ? std::nullopt : std::optional(found->second);
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::vector<fs::path> children(const fs::path& directory) {
  std::vector<fs::path> paths;
  std::error_code code;
  for (const auto& item : fs::directory_iterator(directory, code)) paths.push_back(item.path());
  require<CheckpointError>(!code || code == std::errc::no_such_file_or_directory, "checkpoint",
                           "cannot list {}: {}", directory.string(),
                           error_text(code.value(), directory));
  return paths;
}

void make_directory(const fs::path& path) {
  std::error_code code;
  fs::create_directory(path, code);
  require<SystemError>(!code, "checkpoint", "cannot create directory {}: {}", path.string(),
                       error_text(code.value(), path));
}

void remove_tree(const fs::path& path) {
  std::error_code code;
  fs::remove_all(path, code);
  require<SystemError>(!code, "checkpoint", "cannot remove {}: {}", path.string(),
                       error_text(code.value(), path));
}

}  // namespace

std::optional<std::int64_t> step_of(std::string_view name) {
  if (!name.starts_with(kPrefix)) return {};
  name.remove_prefix(kPrefix.size());
  std::int64_t step = 0;
  const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), step);
  if (code != std::errc() || end != name.data() + name.size() || step < 0) return {};
  return step;
}

CheckpointStore::CheckpointStore(fs::path directory, std::uint64_t generation)
    : directory_(std::move(directory)), generation_(generation) {}

fs::path CheckpointStore::path_of(std::int64_t step) const {
  return directory_ / name_of_step(step);
}
fs::path CheckpointStore::partial_path_of(std::int64_t step) const {
  return directory_ / fmt::format(".{}.{}{}", name_of_step(step), generation_, kPartial);
}
fs::path CheckpointStore::old_path_of(std::int64_t step) const {
  return directory_ / fmt::format(".{}{}", name_of_step(step), kOld);
}

std::vector<CheckpointStore::Entry> CheckpointStore::entries() const {
  std::vector<Entry> entries;
  for (const fs::path& path : children(directory_)) {
    const auto step = step_of(path.filename().string());
    const bool is_ours = step && path == path_of(*step);  // "step-6" is somebody else's
    if (is_ours && fs::is_directory(path)) entries.push_back({*step, path, is_marked(path)});
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.step > b.step; });
  return entries;
}

void CheckpointStore::make() const { make_directory(directory_); }

void CheckpointStore::begin(std::int64_t step) const {
  remove_tree(partial_path_of(step));
  make_directory(partial_path_of(step));
}

void CheckpointStore::publish(std::int64_t step) const {
  const fs::path path = path_of(step);
  if (fs::exists(path)) {
    if (is_marked(path)) {
      remove_tree(old_path_of(step));
      rename_durably(path, old_path_of(step));
    } else {
      remove_tree(path);
    }
  }
  sync_directory(partial_path_of(step));
  rename_durably(partial_path_of(step), path);
}

void CheckpointStore::mark_complete(std::int64_t step, std::uint64_t manifest_checksum) const {
  write_text_atomically(path_of(step) / kMarkerName, checksum_text(manifest_checksum) + "\n");
  remove_tree(old_path_of(step));
}

void CheckpointStore::abandon(std::int64_t step) const {
  const fs::path path = path_of(step), old = old_path_of(step);
  std::error_code ignored;
  fs::remove_all(partial_path_of(step), ignored);
  if (is_marked(path)) {
    fs::remove_all(old, ignored);
    return;
  }
  fs::remove_all(path, ignored);
  if (fs::exists(old, ignored)) fs::rename(old, path, ignored);
}

void CheckpointStore::recover() const {
  for (const Entry& entry : entries()) {
    if (entry.complete) continue;
    try {
      const std::uint64_t checksum = Checkpoint::verify_unmarked(entry.path);
      mark_complete(entry.step, checksum);
      log::warning(
          "checkpoint: {} was not marked complete; every byte is as its manifest says, it "
          "is now",
          entry.path.string());
    } catch (const CheckpointError&) {  // so says whoever chooses among them
    }
  }
  for (const fs::path& path : children(directory_)) {
    const std::string base = base_of_old(path.filename().string());
    if (base.empty()) continue;
    log::warning("checkpoint: cleaning up {}, left by an interrupted write", path.string());
    abandon(*step_of(base));
  }
}

void CheckpointStore::clean_up() const {
  for (const fs::path& path : children(directory_)) {
    const std::string name = path.filename().string();
    if (is_removed(name)) {
      std::error_code ignored;  // its remover may be at it still
      fs::remove_all(path, ignored);
      continue;
    }
    if (!is_partial(name)) continue;
    log::warning("checkpoint: cleaning up {}, left by an interrupted write", path.string());
    remove_tree(path);
  }
}

std::vector<RankedStep> CheckpointStore::ranked(const Retention& retention) const {
  std::vector<RankedStep> all;
  for (const Entry& entry : entries()) {
    if (!entry.complete) continue;
    all.push_back(
        {entry.step, retention.best > 0 ? rank_of(entry.path, retention.by) : std::nullopt});
  }
  return all;
}

void CheckpointStore::retain(const Retention& retention, std::int64_t step,
                             const std::function<void()>& may_write) const {
  std::vector<RankedStep> complete = ranked(retention);
  std::erase_if(complete, [&](const RankedStep& one) { return one.step > step; });
  for (const std::int64_t old : expired(retention, complete)) {
    if (may_write) may_write();
    remove(old);
  }
}

int CheckpointStore::remove_after(std::int64_t step, const std::function<void()>& may_write) const {
  int removed = 0;
  for (const Entry& entry : entries()) {
    if (!entry.complete || entry.step <= step) continue;
    if (may_write) may_write();
    remove(entry.step);
    ++removed;
  }
  return removed;
}

void CheckpointStore::set_aside(const Entry& entry) const {
  fs::path target = entry.path.string() + ".damaged";
  for (int number = 2; fs::exists(target); ++number) {
    target = fmt::format("{}.{}.damaged", entry.path.string(), number);
  }
  rename_durably(entry.path, target);
}

void CheckpointStore::remove(std::int64_t step) const {
  const fs::path away =
      directory_ / fmt::format(".{}.{}{}", name_of_step(step), generation_, kRemoved);
  remove_tree(away);
  rename_durably(path_of(step), away);
  remove_tree(away);
}

}  // namespace edt
