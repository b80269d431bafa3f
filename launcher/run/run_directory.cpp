#include "launcher/run/run_directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/json/json_text.h"
#include "core/storage/access.h"
#include "core/storage/directory_kind.h"
#include "core/storage/durable_file.h"
#include "launcher/exit_status.h"
#include "launcher/run/metrics.h"
#include "launcher/run/metrics_scan.h"

namespace edt {
namespace {

void make_directory(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    fail_for<UsageError>(error.value(), "run", "cannot create the directory {}: {}", path.string(),
                         error_text(error.value(), path));
  }
  require<UsageError>(std::filesystem::is_directory(path, error), "run", "{} is not a directory",
                      path.string());
}

// A run among the files of a data set or of a checkpoint would be taken for a part of it, and go
// with it when it is removed.
void refuse_other_kinds(const std::filesystem::path& path) {
  const DirectoryKind kind = kind_of_directory(path);
  require<UsageError>(kind == DirectoryKind::kOther || kind == DirectoryKind::kRun, "run",
                      "{} holds {}: a run needs a directory of its own", path.string(),
                      described(kind));
}

// What stands in the place of a file is found now, not when it is to be written; a pipe there would
// hold up who reads it.
// Of a link that turns in a circle, or into a directory that is not there: a file cannot be made
// behind it.
bool leads_nowhere(const std::filesystem::path& file) {
  std::error_code code, ignored;
  if (!std::filesystem::is_symlink(file, ignored)) return false;
  const auto type = std::filesystem::status(file, code).type();
  if (type != std::filesystem::file_type::not_found) return static_cast<bool>(code);
  const auto target = file.parent_path() / std::filesystem::read_symlink(file, ignored);
  return !std::filesystem::is_directory(target.parent_path(), ignored);
}

void refuse_what_is_no_file(const RunDirectory& run) {
  for (const auto& file : {run.path() / "lock", run.path() / "generation", run.config(),
                           run.metrics(), run.outcome()}) {
    std::error_code ignored;
    require<UsageError>(!leads_nowhere(file), "run", "{} is a link to {}, which leads nowhere",
                        file.string(), std::filesystem::read_symlink(file, ignored).string());
    const auto type = std::filesystem::status(file, ignored).type();
    require<UsageError>(type != std::filesystem::file_type::directory, "run",
                        "{} is a directory, a file is needed", file.string());
    require<UsageError>(
        type != std::filesystem::file_type::fifo && type != std::filesystem::file_type::socket,
        "run", "{} is a pipe, a file is needed", file.string());
  }
}

}  // namespace

RunDirectory::RunDirectory(std::filesystem::path path, Communicator& ranks)
    : path_(std::move(path)), rank_(ranks.rank()) {
  require<UsageError>(!path_.empty(), "run", "the run directory has no name");
  if (ranks.is_root()) {
    refuse_other_kinds(path_);
    make(path_, made_folders_);
    refuse_what_is_no_file(*this);
    lock_.emplace(path_ / "lock");
    std::error_code ignored;
    if (!std::filesystem::exists(path_ / "generation", ignored)) {
      made_parts_.push_back(path_ / "generation");
    }
    token_ = FencingToken::take(path_ / "generation", [&] { return last_generation(metrics()); });
    for (const auto& part : {tensorboard(), checkpoints(), samples(), path_ / "logs"}) {
      make(part, made_parts_);
      require_directory(part, "run.dir");  // now, not when the first checkpoint is to be written
    }
    for (const auto& part : {path_, tensorboard(), checkpoints(), samples(), path_ / "logs"}) {
      held_.emplace_back(part);
    }
  }
  const std::string number = ranks.broadcast(
      token_ ? fmt::format("{}", token_->number()) : std::string(), 0, "generation");
  if (!token_) token_.emplace(path_ / "generation", std::stoull(number));
}

void RunDirectory::make(const std::filesystem::path& directory,
                        std::vector<std::filesystem::path>& made) {
  std::vector<std::filesystem::path> missing;
  std::error_code ignored;
  for (auto at = directory; !at.empty() && !std::filesystem::exists(at, ignored);
       at = at.parent_path()) {
    missing.push_back(at);
  }
  make_directory(directory);
  made.insert(made.end(), missing.rbegin(), missing.rend());
}

// Parts go with what is in them, logs; folders only where they are empty again.
void RunDirectory::take_back() {
  std::error_code ignored;
  for (const auto& part : made_parts_) std::filesystem::remove_all(part, ignored);
  lock_.reset();  // whose file lies there too
  std::for_each(made_folders_.rbegin(), made_folders_.rend(),
                [&](const auto& folder) { std::filesystem::remove(folder, ignored); });
  made_parts_.clear();
  made_folders_.clear();
}

std::filesystem::path RunDirectory::sample_grid(std::int64_t step) const {
  return samples() / fmt::format("step-{:08}.png", step);
}

std::filesystem::path RunDirectory::log(int rank) const {
  return path_ / "logs" / fmt::format("rank-{:05}.log", rank);
}

void RunDirectory::fail_gone(std::int64_t step) const {
  const bool is_there = held_.front().has_its_name();  // what was in it is not
  const std::filesystem::path now =
      is_there ? std::filesystem::path() : held_.front().present_name();
  std::error_code ignored;
  const bool is_replaced = !is_there && std::filesystem::exists(path_, ignored);
  fail<DiskError>(
      "run", "{} was {} while the run trained{}: step {} and those since the last checkpoint {}",
      path_.string(), now.empty() ? "removed" : "renamed to " + now.string(),
      is_replaced ? ", and something else has its name" : "", step,
      now.empty() ? "are lost with it"
                  : fmt::format("are lost; `edt train --run.dir {}` goes on", now.string()));
}

void RunDirectory::keep_part(HeldDirectory& part, std::int64_t step) {
  const std::filesystem::path& path = part.path();
  const auto hold_anew = [&](std::string_view what_now) {
    log::warning("[run] {} was {} while the run trained: {}", path.string(),
                 part.present_name().empty() ? "removed, with what was in it,"
                                             : "renamed to " + part.present_name().string(),
                 what_now);
    part = HeldDirectory(path);
  };
  if (part.is_replaced_alike()) {  // whoever writes there may have made it anew before this look
    if (!part.has_its_name()) hold_anew("another has its name");
    return;
  }
  std::error_code ignored;
  const auto status = std::filesystem::symlink_status(path, ignored);
  require<DiskError>(!std::filesystem::exists(status), "run",
                     "{} is no more the directory on the file system that it was at the start: was "
                     "a disk unmounted or a link changed? Step {} and those since the last "
                     "checkpoint are lost; started again, the run goes on where that is mended",
                     path.string(), step);
  // Whoever removes all of it is not to find it made again.
  const bool is_being_removed = !std::filesystem::exists(path_ / "lock", ignored) &&
                                !std::filesystem::exists(config(), ignored);
  if (is_being_removed) fail_gone(step);
  make_directories(path);
  hold_anew("it is made anew");
}

void RunDirectory::require_kept(std::int64_t step) {
  if (held_.empty()) return;
  if (!held_.front().has_its_name()) fail_gone(step);
  for (std::size_t i = 1; i < held_.size(); ++i) keep_part(held_[i], step);
}

void RunDirectory::begin(std::string_view configuration) const {
  token_->check();
  write_text_atomically(config(), configuration);
  std::error_code ignored;
  std::filesystem::remove(outcome(), ignored);
}

void RunDirectory::write_outcome(int status, std::int64_t step, std::string_view what) const {
  if (!held_.empty() && !held_.front().has_its_name()) return;
  token_->check();
  const nlohmann::ordered_json json{{"status", status}, {"step", step}, {"what", what}};
  write_text_atomically(outcome(), dump_json(json) + '\n');
}

std::int64_t RunDirectory::saved_step() const {
  const auto json = try_parse_json(text_if_there(outcome()));
  const auto number = [&](const char* name) {
    const bool is_there = json.is_object() && json.contains(name);
    return is_there && json[name].is_number_integer() ? json[name].get<std::int64_t>() : -1;
  };
  const std::int64_t status = number("status");
  const bool has_saved = status == kDone || status == kStopped || status == kHeld;
  return std::max(scan_metrics(metrics()).saved, has_saved ? number("step") : 0);
}

void RunDirectory::set_metrics_aside() const {
  token_->check();
  std::error_code ignored;
  if (!std::filesystem::exists(metrics(), ignored)) return;
  const std::filesystem::path aside = free_name(metrics());
  rename_durably(metrics(), aside);
  log::warning("[run] {} is kept as {}", metrics().string(), aside.filename().string());
}

void RunDirectory::open_log() const {
  std::error_code ignored;
  const std::filesystem::path file = log(rank_);
  if (std::filesystem::exists(file, ignored) &&
      faccessat(AT_FDCWD, file.c_str(), W_OK, AT_EACCESS) != 0) {
    std::filesystem::rename(file, free_name(file), ignored);  // of another user: a new one is begun
  }
  log::open_file(file, [token = *token_] { return token.is_current(); });
}

}  // namespace edt
