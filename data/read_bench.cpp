#include "data/read_bench.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>
#include <vector>

#include "core/base/error.h"
#include "core/storage/hdf5.h"
#include "core/storage/input_file.h"
#include "data/prefetcher.h"

namespace edt::data {

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

struct Turn {
  double samples = 0, seconds = 0;
  double rate() const { return samples / seconds; }
};

// Pieces of work, each giving the number of its samples, for `seconds` or until `most` are done.
Turn take_turn(const std::function<double()>& piece, double seconds, double most) {
  Turn turn;
  const double begin = now();
  do {
    turn.samples += piece();
    turn.seconds = now() - begin;
  } while (turn.seconds < seconds && turn.samples < most);
  return turn;
}

// Where an array of one shard lies. Of chunked or compressed arrays, which other programs write:
// the whole file.
struct Part {
  InputFile file;
  std::uint64_t offset, bytes;
  std::uint64_t piece;  // bytes of a sample
};

Part part_of(const Shard& shard, const std::string& array, std::uint64_t sample_bytes,
             std::optional<std::uint64_t> all_bytes = {}) {
  InputFile file(shard.path());
  require<DataError>(file.map(), "bench data", "{}: cannot be mapped", shard.path().string());
  const auto offset = h5::File::open(shard.path()).dataset(array).proven_offset(file);
  const std::uint64_t stored = all_bytes.value_or(shard.size() * sample_bytes);
  const std::uint64_t bytes = offset ? stored : file.size();
  return {std::move(file), offset.value_or(0), bytes, sample_bytes};
}

// In pieces of the mean length.
Part part_of_texts(const Shard& shard) {
  const ShardArray& features = shard.texts()->features();
  const std::uint64_t tokens = std::max<std::uint64_t>(1, features.samples() / shard.size());
  return part_of(shard, kTextName, tokens * features.sample_bytes(),
                 features.samples() * features.sample_bytes());
}

std::vector<Part> parts_of(const Dataset& dataset) {
  const Description& d = dataset.description();
  std::vector<Part> parts;
  for (const auto& shard : dataset.shards()) {
    parts.push_back(part_of(*shard, d.array_name(), d.stored_bytes()));
    for (const RequestedArray& requested : dataset.arrays()) {
      if (requested.kind == RequestedArray::Kind::kText) parts.push_back(part_of_texts(*shard));
      if (requested.kind != RequestedArray::Kind::kArray) continue;
      const SampleArray& array = d.arrays[requested.index];
      parts.push_back(part_of(*shard, array.values_name(false), array.value_bytes()));
      if (!array.has_scales()) continue;
      parts.push_back(part_of(*shard, array.scales_name(false), array.scale_bytes()));
    }
  }
  return parts;
}

using Pieces = std::vector<std::span<const std::byte>>;

// Pieces of the size of a sample in file order.
Pieces pieces_of(std::span<const Part> parts) {
  Pieces pieces;
  for (const Part& part : parts) {
    for (std::uint64_t done = 0; done < part.bytes; done += part.piece) {
      pieces.push_back(
          part.file.mapped(part.offset + done, std::min(part.piece, part.bytes - done)));
    }
  }
  return pieces;
}

Pieces shuffled(const Pieces& pieces, std::uint64_t seed) {
  const random::Permutation order({seed, random::Purpose::kBenchmark}, pieces.size());
  Pieces out;
  for (std::uint64_t i = 0; i < pieces.size(); ++i) out.push_back(pieces[order(i)]);
  return out;
}

// A piece of the work in each way, which goes on where the piece before it ended.
class Ways {
 public:
  Ways(const Dataset& dataset, const ReadBenchOptions& options)
      : dataset_(dataset),
        options_(options),
        order_(dataset.make_order({.seed = options.seed, .flips = false})),
        parts_(parts_of(dataset)),
        pieces_(pieces_of(parts_)),
        shuffled_(shuffled(pieces_, options.seed)) {
    batch_.positions.resize(options.batch);
    for (const Part& part : parts_) {
      bytes_ += static_cast<double>(part.bytes);
      largest_ = std::max(largest_, part.piece);
    }
    copies_.resize(options.batch * largest_);
  }

  double random() {
    std::iota(batch_.positions.begin(), batch_.positions.end(), position_);
    position_ += options_.batch;
    read_batch(dataset_, order_, scratch_, batch_);
    return static_cast<double>(options_.batch);
  }

  double in_order() {
    batch_.samples.resize(options_.batch);
    for (SampleRef& sample : batch_.samples) sample = {.index = next_++ % dataset_.size()};
    read_samples(dataset_, options_.seed, scratch_, batch_);
    return static_cast<double>(options_.batch);
  }

  double sequential() {
    const Part& part = parts_[part_];
    const std::uint64_t piece = std::min<std::uint64_t>(part.bytes - done_, buffer_.size());
    part.file.read(part.offset + done_, std::span(buffer_).first(piece));
    done_ += piece;
    if (done_ == part.bytes) {
      part_ = (part_ + 1) % parts_.size();
      done_ = 0;
    }
    return static_cast<double>(piece) / bytes_ * static_cast<double>(dataset_.size());
  }

  double random_copy() { return copy(shuffled_, random_place_); }
  double sequential_copy() { return copy(pieces_, sequential_place_); }

  void require_kept() const {
    for (const Part& part : parts_) part.file.require_kept();
  }

 private:
  // Into the places of a batch, one after the other.
  double copy(const Pieces& pieces, std::size_t& place) {
    double copied = 0;
    for (std::size_t i = 0; i < options_.batch; ++i) {
      const auto piece = pieces[place];
      std::memcpy(copies_.data() + i * largest_, piece.data(), piece.size());
      copied += static_cast<double>(piece.size());
      place = (place + 1) % pieces.size();
    }
    return copied / bytes_ * static_cast<double>(dataset_.size());
  }

  const Dataset& dataset_;
  ReadBenchOptions options_;
  SampleOrder order_;
  ReadScratch scratch_;
  Batch batch_;
  std::uint64_t position_ = 0, next_ = 0, done_ = 0;
  std::size_t part_ = 0, random_place_ = 0, sequential_place_ = 0;
  std::vector<Part> parts_;
  double bytes_ = 0;           // of all parts
  std::uint64_t largest_ = 1;  // piece of one
  Pieces pieces_, shuffled_;
  std::vector<std::byte> copies_, buffer_ = std::vector<std::byte>(1 << 20);
};

}  // namespace

ReadBench bench_reads(const std::filesystem::path& path, const ReadBenchOptions& options,
                      const Progress& progress) {
  constexpr std::size_t kRounds = 5;
  std::vector<ArrayRequest> arrays;
  for (const std::string& name : options.arrays) arrays.push_back({name, {}});
  const Dataset dataset(path, {.cache_bytes = options.cache_bytes, .arrays = arrays});
  Ways ways(dataset, options);
  enum Way : std::size_t { kRandom, kInOrder, kSequential, kRandomCopy, kSequentialCopy, kWays };
  const std::array<std::function<double()>, kWays> pieces{
      [&] { return ways.random(); }, [&] { return ways.in_order(); },
      [&] { return ways.sequential(); }, [&] { return ways.random_copy(); },
      [&] { return ways.sequential_copy(); }};
  std::array<std::vector<Turn>, kWays> turns;
  const auto size = static_cast<double>(dataset.size());
  double random_samples = 0;
  for (std::size_t round = 0; round <= kRounds; ++round) {
    for (std::size_t way = 0; way < kWays; ++way) {
      const Turn turn = round == 0 ? take_turn(pieces[way], options.seconds, size)
                                   : take_turn(pieces[way], options.seconds / kRounds,
                                               std::numeric_limits<double>::infinity());
      if (round > 0) turns[way].push_back(turn);
      if (way == kRandom) random_samples += turn.samples;
      if (progress) progress(round * kWays + way + 1, (kRounds + 1) * kWays);
    }
  }
  ways.require_kept();

  const auto rates = [&](Way way) {
    std::vector<double> values;
    for (const Turn& turn : turns[way]) values.push_back(turn.rate());
    return values;
  };
  const auto to_sequential = [&](Way way) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < kRounds; ++i) {
      ratios.push_back(turns[way][i].rate() / turns[kSequential][i].rate());
    }
    return median(ratios);
  };
  return {.samples = dataset.size(),
          .sample_bytes = dataset.read_bytes(),
          .random_samples = static_cast<std::uint64_t>(std::min(random_samples, size)),
          .random = median(rates(kRandom)),
          .in_order = median(rates(kInOrder)),
          .sequential = median(rates(kSequential)),
          .random_copy = median(rates(kRandomCopy)),
          .sequential_copy = median(rates(kSequentialCopy)),
          .ratio = to_sequential(kRandom),
          .copy_ratio = to_sequential(kRandomCopy),
          .slow_layout = dataset.slow_layout()};
}

}  // namespace edt::data
