#include "data/shard_copies.h"

#include <map>
#include <tuple>

#include "core/base/error.h"
#include "core/storage/checksum.h"

namespace edt::data {

namespace {

namespace fs = std::filesystem;

fs::path real_path(const fs::path& path) {
  std::error_code code;
  const fs::path real = fs::canonical(path, code);
  return code ? path : real;
}

// Of the first, the middle and the last sample. The same pictures with other texts are no copies.
std::uint64_t values_checksum(const Shard& shard) {
  std::vector<float> values(shard.description().stored_elements());
  std::vector<std::byte> scratch;
  StreamingChecksum sum;
  for (const std::uint64_t sample : {std::uint64_t{0}, shard.size() / 2, shard.size() - 1}) {
    shard.read(sample, 1, false, false, scratch, values);
    sum.add(std::as_bytes(std::span(values)));
    if (shard.texts() == nullptr) continue;
    std::vector<float> text(shard.texts()->tokens(sample) * shard.description().text.channels);
    shard.texts()->read(sample, false, scratch, text);
    sum.add(std::as_bytes(std::span(text)));
  }
  return sum.value();
}

void refuse_shared_files(std::span<const std::unique_ptr<Shard>> shards) {
  std::map<fs::path, const Shard*> shard_of;
  for (const auto& shard : shards) {
    const auto [other, is_new] = shard_of.emplace(real_path(shard->path()), shard.get());
    require<DataError>(is_new, "data", "{} and {} are the same file: its samples would count twice",
                       other->second->path().string(), shard->path().string());
  }
  for (const auto& shard : shards) {
    for (const fs::path& file : shard->other_files()) {
      const auto found = shard_of.find(real_path(file));
      require<DataError>(found == shard_of.end() || found->second == shard.get(), "data",
                         "{} takes its samples from {}, which is a shard of the same set: they "
                         "would count twice",
                         shard->path().string(),
                         found == shard_of.end() ? "" : found->second->path().string());
    }
  }
}

}  // namespace

// Values are read only where the labels do not tell shards apart.
void refuse_copies(std::span<const std::unique_ptr<Shard>> shards) {
  refuse_shared_files(shards);
  std::map<std::tuple<std::uint64_t, std::uint64_t>, std::vector<const Shard*>> alike;
  for (const auto& shard : shards) {
    if (shard->place()) continue;  // its place in the set is recorded, and a copy stands at none
    alike[{shard->size(), checksum_of(shard->labels())}].push_back(shard.get());
  }
  for (const auto& [key, group] : alike) {
    if (group.size() < 2) continue;
    std::map<std::uint64_t, const Shard*> seen;
    for (const Shard* shard : group) {
      const auto [other, is_new] = seen.emplace(values_checksum(*shard), shard);
      require<DataError>(is_new, "data",
                         "{} and {} hold the same samples, which would count twice: {} of them, "
                         "with the same labels and values. Take one away",
                         other->second->path().string(), shard->path().string(), shard->size());
    }
  }
}

}  // namespace edt::data
