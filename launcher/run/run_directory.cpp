#include "launcher/run/run_directory.h"

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/storage/durable_file.h"

namespace edt {
namespace {

void make_directory(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  require<UsageError>(!error, "run", "cannot create the directory {}: {}", path.string(),
                      error.message());
  require<UsageError>(std::filesystem::is_directory(path, error), "run", "{} is not a directory",
                      path.string());
}

}  // namespace

RunDirectory::RunDirectory(std::filesystem::path path, Communicator& ranks)
    : path_(std::move(path)), rank_(ranks.rank()) {
  require<UsageError>(!path_.empty(), "run", "the run directory has no name");
  if (ranks.is_root()) {
    make_directory(path_);
    lock_.emplace(path_ / "lock");
    generation_ = Generation::take(path_ / "generation");
    for (const auto& part : {tensorboard(), checkpoints(), samples(), path_ / "logs"}) {
      make_directory(part);
    }
  }
  const std::string number = ranks.broadcast(
      generation_ ? fmt::format("{}", generation_->number()) : std::string(), 0, "generation");
  if (!generation_) generation_.emplace(path_ / "generation", std::stoull(number));
}

std::filesystem::path RunDirectory::sample_grid(std::int64_t step) const {
  return samples() / fmt::format("step-{:08}.png", step);
}

std::filesystem::path RunDirectory::log(int rank) const {
  return path_ / "logs" / fmt::format("rank-{:05}.log", rank);
}

void RunDirectory::begin(std::string_view configuration) const {
  generation_->check();
  write_text_atomically(config(), configuration);
  std::error_code ignored;
  std::filesystem::remove(outcome(), ignored);
}

void RunDirectory::write_outcome(int status, std::int64_t step, std::string_view what) const {
  generation_->check();
  const nlohmann::ordered_json json{{"status", status}, {"step", step}, {"what", what}};
  write_text_atomically(outcome(), json.dump() + '\n');
}

void RunDirectory::open_log() const {
  log::open_file(log(rank_), [generation = *generation_] { return generation.is_current(); });
}

}  // namespace edt
