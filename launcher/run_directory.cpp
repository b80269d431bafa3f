#include "launcher/run_directory.h"

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
    for (const auto& part : {tensorboard(), checkpoints(), samples(), path_ / "logs"}) {
      make_directory(part);
    }
  }
  ranks.barrier("run directory");
}

std::filesystem::path RunDirectory::sample_grid(std::int64_t step) const {
  return samples() / fmt::format("step-{:08}.png", step);
}

std::filesystem::path RunDirectory::log(int rank) const {
  return path_ / "logs" / fmt::format("rank-{:05}.log", rank);
}

void RunDirectory::write_config(std::string_view ini) const {
  write_text_atomically(config(), ini);
}

void RunDirectory::open_log() const { log::open_file(log(rank_)); }

}  // namespace edt
