#include "parallel/checkpoint/checkpoint.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/storage/access.h"
#include "core/storage/checksum.h"
#include "core/storage/durable_file.h"
#include "core/storage/missing_path.h"
#include "parallel/checkpoint/rank_file.h"
#include "parallel/comm/self/self_communicator.h"

namespace edt {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kLargestManifest = std::uint64_t{1} << 30;

// What goes wrong in a file of a checkpoint is a CheckpointError, whoever noticed it. A disk that
// fails or is out of reach says nothing about the checkpoint, which may be read when it is back.
template <class F>
auto as_checkpoint_error(const fs::path& path, F&& read) {
  try {
    return read();
  } catch (const CheckpointError&) {
    throw;
  } catch (const DiskError&) {
    throw;
  } catch (const Error& error) {
    fail<CheckpointError>("checkpoint", "{}: {}", path.string(), error.what());
  }
}

void require_there(const fs::path& directory) {
  require<CheckpointError>(fs::exists(directory), "checkpoint", "{}: there is no such directory{}",
                           directory.string(), missing_path_hint(directory));
  require<CheckpointError>(fs::is_directory(directory), "checkpoint", "{} is not a directory",
                           directory.string());
}

std::string read_manifest_text(const fs::path& directory) {
  require_there(directory);
  require<CheckpointError>(fs::exists(directory / kMarkerName), "checkpoint",
                           "{} is not marked complete: writing it was interrupted",
                           directory.string());
  const std::string marker = read_text(directory / kMarkerName, 1 << 10);
  const std::string text = read_text(directory / kManifestName, kLargestManifest);
  const std::uint64_t found = checksum_of(std::span<const char>(text));
  require<CheckpointError>(marker == checksum_text(found) + "\n", "checkpoint",
                           "{}: checksum is {}, the marker says {}",
                           (directory / kManifestName).string(), checksum_text(found),
                           marker.substr(0, marker.find('\n')));
  return text;
}

void require_sizes(const fs::path& directory, const Manifest& manifest) {
  for (const StoredFile& file : manifest.files) {
    std::error_code code;
    const auto bytes = fs::file_size(directory / file.name, code);
    require<CheckpointError>(!code, "checkpoint", "{}: {}", (directory / file.name).string(),
                             code.message());
    require<CheckpointError>(bytes == file.bytes, "checkpoint",
                             "{} has {} bytes, the manifest says {}",
                             (directory / file.name).string(), bytes, file.bytes);
  }
}

// What to copy from the stored fragments of a tensor into the wanted ones.
struct Transfer {
  const StoredFragment* stored;
  struct Target {
    std::int64_t offset;  // in the arrays
    std::vector<Overlap> overlaps;
  };
  std::vector<Target> targets;
};

// `places`: where the tensors of the state stand in the manifest.
std::vector<Transfer> plan_transfers(const Manifest& manifest, const CheckpointState& state,
                                     const std::vector<std::size_t>& places) {
  std::vector<std::vector<const StateFragment*>> wanted(manifest.tensors.size());
  for (const StateFragment& fragment : state.fragments) {
    const std::size_t place = places[fragment.tensor];
    if (place != Checkpoint::kLacking) wanted[place].push_back(&fragment);
  }
  std::vector<Transfer> transfers;
  for (const StoredFragment& stored : manifest.fragments) {
    const Shape& shape = manifest.tensors[stored.tensor].shape;
    const std::vector<Run> runs = runs_of(stored.region, shape);
    Transfer transfer{&stored, {}};
    for (const StateFragment* fragment : wanted[stored.tensor]) {
      auto shared = overlaps(runs, runs_of(fragment->region, shape));
      if (!shared.empty()) transfer.targets.push_back({fragment->offset, std::move(shared)});
    }
    if (!transfer.targets.empty()) transfers.push_back(std::move(transfer));
  }
  return transfers;
}

void copy(const Transfer& transfer, std::span<const float> from, std::span<float> to) {
  for (const Transfer::Target& target : transfer.targets) {
    for (const Overlap& overlap : target.overlaps) {
      std::copy_n(from.begin() + overlap.a, overlap.length, to.begin() + target.offset + overlap.b);
    }
  }
}

void check_state(const CheckpointState& state) {
  for (const StateFragment& fragment : state.fragments) {
    EDT_ASSERT(fragment.tensor < state.tensors.size());
    EDT_ASSERT(fits(fragment.region, state.tensors[fragment.tensor].shape));
    for (const StateArray& array : state.arrays) {
      const auto end = static_cast<std::size_t>(fragment.offset + fragment.region.elements());
      EDT_ASSERT(fragment.offset >= 0 && end <= array.values.size());
    }
  }
}

std::set<std::string_view> parts_of(std::span<const LogicalTensor> tensors) {
  std::set<std::string_view> parts;
  for (const LogicalTensor& tensor : tensors) parts.insert(tensor.part.name);
  return parts;
}

std::string of_part(const LogicalTensor& tensor) {
  return tensor.part.name.empty() ? "" : fmt::format(" of part {}", tensor.part.name);
}

// All ranks look at the same list, whatever they see of a shared file system at the moment.
std::vector<CheckpointStore::Entry> entries_of_root(const CheckpointStore& store,
                                                    Communicator& ranks) {
  std::string steps;
  if (ranks.is_root()) {
    for (const auto& entry : store.entries()) steps += fmt::format("{} ", entry.step);
  }
  std::istringstream list(ranks.broadcast(steps, 0, "list of checkpoints"));
  std::vector<CheckpointStore::Entry> entries;
  for (std::int64_t step = 0; list >> step;) entries.push_back({step, store.path_of(step)});
  return entries;
}

// The first file that this process may not read, and why: that is no damage, and whoever is asked
// can change it. Empty where there is none.
std::string denied_file(const fs::path& checkpoint) {
  std::string problem = reading_problem(checkpoint);
  std::error_code ignored;
  for (const auto& item : fs::directory_iterator(checkpoint, ignored)) {
    if (problem.empty()) problem = reading_problem(item.path());
  }
  return problem;
}

// Opens a checkpoint and verifies this rank's share; sets `reason` where it is not intact.
std::optional<Checkpoint> open_verified(const CheckpointStore::Entry& entry, Communicator& ranks,
                                        std::string& reason) {
  try {
    Checkpoint checkpoint = Checkpoint::open(entry.path);
    require<CheckpointError>(checkpoint.info().step == entry.step, "checkpoint", "{} holds step {}",
                             entry.path.string(), checkpoint.info().step);
    checkpoint.verify(ranks.rank(), ranks.size());
    return checkpoint;
  } catch (const CheckpointError& error) {
    reason = error.what();
    return {};
  }
}

}  // namespace

Checkpoint Checkpoint::open(const fs::path& directory) {
  return as_checkpoint_error(directory, [&] {
    const std::string text = read_manifest_text(directory);
    Manifest manifest = parse_manifest(text, (directory / kManifestName).string());
    require_sizes(directory, manifest);
    return Checkpoint(directory, std::move(manifest));
  });
}

std::uint64_t Checkpoint::verify_unmarked(const fs::path& directory) {
  return as_checkpoint_error(directory, [&] {
    const fs::path file = directory / kManifestName;
    const std::string text = read_text(file, kLargestManifest);
    Checkpoint checkpoint(directory, parse_manifest(text, file.string()));
    require_sizes(directory, checkpoint.manifest_);
    checkpoint.verify();
    return checksum_of(std::span<const char>(text));
  });
}

std::uint64_t Checkpoint::bytes() const {
  std::uint64_t bytes = 0;
  for (const StoredFile& file : manifest_.files) bytes += file.bytes;
  return bytes;
}

void Checkpoint::verify(int rank, int ranks) const {
  as_checkpoint_error(path_, [&] {
    for (std::size_t i = static_cast<std::size_t>(rank); i < manifest_.files.size();
         i += static_cast<std::size_t>(ranks)) {
      const StoredFile& expected = manifest_.files[i];
      const StoredFile found = fingerprint(path_ / expected.name);
      require<CheckpointError>(found.bytes == expected.bytes && found.checksum == expected.checksum,
                               "checkpoint",
                               "{} is damaged: checksum {} of {} bytes, the manifest says {} of {}",
                               (path_ / expected.name).string(), checksum_text(found.checksum),
                               found.bytes, checksum_text(expected.checksum), expected.bytes);
    }
  });
}

// A part lacks as a whole or not at all, on both sides.
std::vector<std::size_t> Checkpoint::find_tensors(std::span<const LogicalTensor> expected,
                                                  PartsRule rule) const {
  const std::set<std::string_view> has = parts_of(manifest_.tensors), wanted = parts_of(expected);
  std::map<std::string_view, std::size_t> stored;
  for (std::size_t i = 0; i < manifest_.tensors.size(); ++i) {
    const TensorPart& part = manifest_.tensors[i].part;
    const bool passed_over =
        rule != PartsRule::kEqual && part.training_only && !wanted.contains(part.name);
    if (!passed_over) stored[manifest_.tensors[i].name] = i;
  }
  std::vector<std::size_t> places;
  for (const LogicalTensor& tensor : expected) {
    const std::string& part = tensor.part.name;
    if (rule == PartsRule::kBeginning && !part.empty() && !has.contains(part)) {
      places.push_back(kLacking);
      continue;
    }
    const auto found = stored.find(tensor.name);
    require<CheckpointError>(found != stored.end(), "checkpoint",
                             "{} is of another model: it lacks {} {}{}", path_.string(),
                             tensor.name, to_string(tensor.shape), of_part(tensor));
    const Shape& shape = manifest_.tensors[found->second].shape;
    require<CheckpointError>(shape == tensor.shape, "checkpoint",
                             "{} is of another model: {} is {}, the model has {}", path_.string(),
                             tensor.name, to_string(shape), to_string(tensor.shape));
    places.push_back(found->second);
    stored.erase(found);
  }
  if (stored.empty()) return places;
  const auto first_left =
      std::ranges::min_element(stored, {}, [](const auto& s) { return s.second; });
  const LogicalTensor& first = manifest_.tensors[first_left->second];
  fail<CheckpointError>("checkpoint", "{} is of another model, which lacks {} {}{}", path_.string(),
                        first.name, to_string(first.shape), of_part(first));
}

void Checkpoint::require_arrays(std::span<const StateArray> expected) const {
  for (const StateArray& array : expected) {
    require<CheckpointError>(manifest_.has_array(array.name), "checkpoint",
                             "{} has no {}: it was written with optimizer \"{}\" and holds {}",
                             path_.string(), array.name, info().optimizer,
                             fmt::join(manifest_.arrays, ", "));
  }
}

void Checkpoint::load(const CheckpointState& state, PartsRule rule) const {
  check_state(state);
  const std::vector<std::size_t> places = find_tensors(state.tensors, rule);
  require_arrays(state.arrays);
  as_checkpoint_error(path_, [&] {
    const std::vector<Transfer> transfers = plan_transfers(manifest_, state, places);
    FragmentReader reader(path_, manifest_);
    std::vector<float> values;
    for (const StateArray& array : state.arrays) {
      const std::size_t index = manifest_.array_index(array.name);
      for (const Transfer& transfer : transfers) {
        reader.read(index, *transfer.stored, values);
        copy(transfer, values, array.values);
      }
    }
  });
}

std::vector<float> Checkpoint::read_tensor(std::string_view array, std::size_t tensor) const {
  const LogicalTensor& logical = manifest_.tensors.at(tensor);
  std::vector<float> whole(static_cast<std::size_t>(logical.shape.elements()));
  const CheckpointState state{manifest_.tensors,
                              {{tensor, Region::of_whole(logical.shape), 0}},
                              {{std::string(array), whole}}};
  load(state);
  return whole;
}

std::optional<ExtraArray> Checkpoint::extra(std::string_view name) const {
  for (const StoredExtra& stored : manifest_.extras) {
    if (stored.name != name) continue;
    return as_checkpoint_error(path_,
                               [&] { return FragmentReader(path_, manifest_).read(stored); });
  }
  return {};
}

CheckpointChoice newest_intact(const CheckpointStore& store) {
  return newest_intact(store, *make_self_communicator());
}

CheckpointChoice newest_intact(const CheckpointStore& store, Communicator& ranks) {
  CheckpointChoice choice;
  for (const CheckpointStore::Entry& entry : entries_of_root(store, ranks)) {
    const std::string denied =
        ranks.first_of_all(denied_file(entry.path), "permissions of a checkpoint");
    require<CheckpointError>(denied.empty(), "checkpoint", "{}", denied);
    std::string reason;
    std::optional<Checkpoint> checkpoint = open_verified(entry, ranks, reason);
    reason = ranks.first_of_all(reason, "state of a checkpoint");
    if (reason.empty()) {
      choice.checkpoint = std::move(checkpoint);
      return choice;
    }
    if (ranks.is_root()) log::warning("checkpoint: skipping {}: {}", entry.path.string(), reason);
    choice.rejected.push_back({entry, reason});
  }
  return choice;
}

CheckpointStore store_at(const fs::path& path) {
  require_there(path);
  const fs::path nested = path / "checkpoints";
  return CheckpointStore(fs::is_directory(nested) ? nested : path);
}

Checkpoint find_checkpoint(const fs::path& path) {
  if (fs::exists(path / kManifestName)) {
    Checkpoint checkpoint = Checkpoint::open(path);
    checkpoint.verify();
    return checkpoint;
  }
  const CheckpointStore store = store_at(path);
  const std::string directory = store.directory().string();
  CheckpointChoice choice = newest_intact(store);
  if (choice.checkpoint) return std::move(*choice.checkpoint);
  if (choice.rejected.empty()) {
    fail<CheckpointError>("checkpoint", "{} holds no checkpoint", directory);
  }
  fail<CheckpointError>("checkpoint", "{} holds no intact checkpoint; the newest: {}", directory,
                        choice.rejected.front().reason);
}

}  // namespace edt
