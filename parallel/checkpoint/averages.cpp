#include "parallel/checkpoint/averages.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/base/error.h"
#include "core/base/log.h"
#include "parallel/checkpoint/writer.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

constexpr double kStoredAsHalf = 0x1p-11, kStoredAsFloat = 0x1p-20;  // with that of 10^4 updates

// The lengths of the averages that a checkpoint has, by the names of their arrays.
std::vector<std::pair<std::string, double>> lengths_in(const Manifest& manifest) {
  std::vector<std::pair<std::string, double>> all;
  for (const std::string& array : manifest.arrays) {
    if (!array.starts_with(kAveragePrefix)) continue;
    const std::string text = array.substr(kAveragePrefix.size());
    double length = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    require<CheckpointError>(error == std::errc() && end == text.data() + text.size(), "averages",
                             "array {} names no length", array);
    all.emplace_back(array, length);
  }
  return all;
}

std::vector<Checkpoint> intact_snapshots(const fs::path& run) {
  std::vector<Checkpoint> intact;
  const CheckpointStore store(run / "averages");
  for (const CheckpointStore::Entry& entry : store.entries()) {
    try {
      Checkpoint snapshot = Checkpoint::open(entry.path);
      snapshot.verify();
      intact.push_back(std::move(snapshot));
    } catch (const CheckpointError& error) {
      log::warning("averages: leaving out {}: {}", entry.path.string(), error.what());
    }
  }
  return intact;
}

std::int64_t elements_of(const Manifest& manifest) {
  std::int64_t elements = 0;
  for (const LogicalTensor& tensor : manifest.tensors) elements += tensor.shape.elements();
  return elements;
}

// Neighbouring tensors [first, last), at `offset` of all values.
struct Chunk {
  std::size_t first = 0, last = 0;
  std::int64_t offset = 0, elements = 0;
};

// Of a few million values each, as all snapshots pass through memory once for each.
std::vector<Chunk> chunks_of(const Manifest& manifest) {
  constexpr std::int64_t kEnough = std::int64_t{1} << 22;
  std::vector<Chunk> chunks;
  std::int64_t offset = 0;
  for (std::size_t t = 0; t < manifest.tensors.size(); ++t) {
    const std::int64_t size = manifest.tensors[t].shape.elements();
    if (chunks.empty() || chunks.back().elements >= kEnough) chunks.push_back({t, t, offset, 0});
    chunks.back().last = t + 1;
    chunks.back().elements += size;
    offset += size;
  }
  return chunks;
}

void load_chunk(const Checkpoint& from, const std::string& array, const Manifest& manifest,
                const Chunk& chunk, std::span<float> values) {
  CheckpointState state{.tensors = manifest.tensors, .fragments = {}, .arrays = {{array, values}}};
  std::int64_t at = 0;
  for (std::size_t t = chunk.first; t < chunk.last; ++t) {
    const Shape& shape = manifest.tensors[t].shape;
    state.fragments.push_back({t, Region::of_whole(shape), at});
    at += shape.elements();
  }
  from.load(state);
}

}  // namespace

KeptAverages KeptAverages::of_run(const fs::path& run) {
  require<CheckpointError>(fs::is_directory(run), "averages", "{}: there is no such run",
                           run.string());
  std::vector<Checkpoint> all = intact_snapshots(run);
  CheckpointChoice choice = newest_intact(CheckpointStore(run / "checkpoints"));
  if (choice.checkpoint && !lengths_in(choice.checkpoint->manifest()).empty()) {
    const std::int64_t step = choice.checkpoint->info().step;
    std::erase_if(all, [&](const Checkpoint& one) { return one.info().step == step; });
    all.push_back(std::move(*choice.checkpoint));
  }
  require<CheckpointError>(!all.empty(), "averages",
                           "{} has no power-function averages: neither a snapshot in averages/, "
                           "nor a checkpoint with them; optimizer.power-averages keeps them",
                           run.string());
  std::ranges::sort(all, {}, [](const Checkpoint& one) { return one.info().step; });
  KeptAverages kept;
  for (Checkpoint& one : all) kept.add(std::move(one));
  return kept;
}

void KeptAverages::add(Checkpoint checkpoint) {
  const CheckpointInfo& info = checkpoint.info();
  if (!checkpoints_.empty()) {
    const Checkpoint& first = checkpoints_.front();
    require<CheckpointError>(
        info.seed == first.info().seed && info.model == first.info().model, "averages",
        "{} is of another run: {} with seed {}, {} is {} with seed {}", checkpoint.path().string(),
        info.model, info.seed, first.path().string(), first.info().model, first.info().seed);
    (void)checkpoint.find_tensors(first.manifest().tensors);
  }
  for (const auto& [array, length] : lengths_in(checkpoint.manifest())) {
    if (info.step < 1) continue;
    stored_.push_back(
        {checkpoints_.size(), array, {power_exponent(length), static_cast<double>(info.step)}});
  }
  checkpoints_.push_back(std::move(checkpoint));
}

PowerFit KeptAverages::fit(double length, std::int64_t step) const {
  require<UsageError>(1 <= step && step <= newest().info().step, "averages",
                      "--step is {}, there are averages up to step {}", step, newest().info().step);
  bool half = false;
  std::vector<PowerProfile> profiles;
  for (const StoredAverage& one : stored_) {
    profiles.push_back(one.profile);
    half = half || !checkpoints_[one.checkpoint].manifest().half_arrays.empty();
  }
  return fit_power_average(profiles, {power_exponent(length), static_cast<double>(step)},
                           half ? kStoredAsHalf : kStoredAsFloat);
}

std::vector<std::vector<float>> KeptAverages::sums(std::span<const PowerFit> fits) const {
  const Manifest& manifest = newest().manifest();
  std::vector<std::vector<float>> all(
      fits.size(), std::vector<float>(static_cast<std::size_t>(elements_of(manifest))));
  for (const Chunk& chunk : chunks_of(manifest)) {
    const auto size = static_cast<std::size_t>(chunk.elements);
    std::vector<float> values(size);
    std::vector<std::vector<double>> sums(fits.size(), std::vector<double>(size));
    for (std::size_t i = 0; i < stored_.size(); ++i) {
      load_chunk(checkpoints_[stored_[i].checkpoint], stored_[i].array, manifest, chunk, values);
      for (std::size_t f = 0; f < fits.size(); ++f) {
        const double weight = fits[f].weights[i];
        for (std::size_t e = 0; e < size; ++e) sums[f][e] += weight * double{values[e]};
      }
    }
    for (std::size_t f = 0; f < fits.size(); ++f) {
      std::ranges::transform(sums[f], all[f].begin() + chunk.offset,
                             [](double sum) { return static_cast<float>(sum); });
    }
  }
  return all;
}

void KeptAverages::write(const std::vector<float>& values, const CheckpointInfo& info,
                         const CheckpointStore& store) const {
  const Manifest& manifest = newest().manifest();
  CheckpointState state{.tensors = manifest.tensors, .fragments = {}, .arrays = {}};
  std::int64_t at = 0;
  for (const LogicalTensor& tensor : manifest.tensors) {
    state.fragments.push_back({state.fragments.size(), Region::of_whole(tensor.shape), at});
    at += tensor.shape.elements();
  }
  // The writer only reads.
  state.arrays = {
      {std::string(kEmaArray), std::span<float>(const_cast<float*>(values.data()), values.size())}};
  write_checkpoint(store, state, info, {});
}

}  // namespace edt
