#include "parallel/checkpoint/inspect.h"

#include "core/base/error.h"
#include "parallel/checkpoint/rank_file.h"

namespace edt {

namespace fs = std::filesystem;

namespace {

void look(const Checkpoint& checkpoint, Depth depth) {
  if (depth == Depth::kManifest) return;
  checkpoint.verify();
  if (depth == Depth::kFiles) return;
  const Manifest& manifest = checkpoint.manifest();
  for (std::size_t i = 0; i < manifest.files.size(); ++i) {
    verify_rank_file(checkpoint.path() / manifest.files[i].name, manifest, i);
  }
}

CheckpointSummary inspect(const fs::path& path, std::int64_t step, Depth depth) {
  CheckpointSummary summary{.path = path, .step = step};
  try {
    const Checkpoint checkpoint = Checkpoint::open(path);
    summary.step = checkpoint.info().step;
    summary.manifest = checkpoint.manifest();
    summary.bytes = checkpoint.bytes();
    look(checkpoint, depth);
  } catch (const Error& error) {
    summary.problem = error.what();
  }
  return summary;
}

}  // namespace

std::vector<CheckpointSummary> inspect_checkpoints(const fs::path& path, Depth depth) {
  if (fs::exists(path / kManifestName)) {
    return {inspect(path, step_of(path.filename().string()).value_or(0), depth)};
  }
  std::vector<CheckpointSummary> summaries;
  const CheckpointStore store = store_at(path);
  for (const auto& entry : store.entries()) {
    summaries.push_back(inspect(entry.path, entry.step, depth));
  }
  require<CheckpointError>(!summaries.empty(), "checkpoint", "{} holds no checkpoint",
                           store.directory().string());
  return summaries;
}

}  // namespace edt
