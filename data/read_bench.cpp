#include "data/read_bench.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <functional>
#include <numeric>
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

// Seconds of each pass, round by round, until the fastest has run for `seconds`.
std::vector<std::vector<double>> time_in_turn(std::span<const std::function<void()>> passes,
                                              double seconds) {
  for (const auto& pass : passes) pass();
  std::vector<std::vector<double>> times(passes.size());
  std::vector<double> total(passes.size(), 0);
  do {
    for (std::size_t i = 0; i < passes.size(); ++i) {
      const double begin = now();
      passes[i]();
      times[i].push_back(now() - begin);
      total[i] += times[i].back();
    }
  } while (*std::min_element(total.begin(), total.end()) < seconds);
  return times;
}

// Where the samples of one shard lie. Of chunked or compressed arrays, which other programs write:
// the whole file.
struct Part {
  InputFile file;
  std::uint64_t offset, bytes;
};

std::vector<Part> parts_of(const Dataset& dataset) {
  std::vector<Part> parts;
  for (const auto& shard : dataset.shards()) {
    InputFile file(shard->path());
    require<DataError>(file.map(), "bench data", "{}: cannot be mapped", shard->path().string());
    const auto offset = h5::File::open(shard->path())
                            .dataset(dataset.description().array_name())
                            .proven_offset(file);
    const std::uint64_t bytes =
        offset ? shard->size() * dataset.description().stored_bytes() : file.size();
    parts.push_back({std::move(file), offset.value_or(0), bytes});
  }
  return parts;
}

using Pieces = std::vector<std::span<const std::byte>>;

// Pieces of the size of a sample in file order.
Pieces pieces_of(std::span<const Part> parts, std::uint64_t sample_bytes) {
  Pieces pieces;
  for (const Part& part : parts) {
    for (std::uint64_t done = 0; done < part.bytes; done += sample_bytes) {
      pieces.push_back(
          part.file.mapped(part.offset + done, std::min(sample_bytes, part.bytes - done)));
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

// One pass through the whole data set, in each way.
class Passes {
 public:
  Passes(const Dataset& dataset, const ReadBenchOptions& options)
      : dataset_(dataset),
        options_(options),
        order_(dataset.make_order({.seed = options.seed, .flips = false})),
        parts_(parts_of(dataset)),
        pieces_(pieces_of(parts_, dataset.description().stored_bytes())),
        shuffled_(shuffled(pieces_, options.seed)),
        copies_(options.batch * dataset.description().stored_bytes()) {}

  void random() {
    in_batches([&] { read_batch(dataset_, order_, scratch_, batch_); });
  }
  void in_order() {
    in_batches([&] { read_in_order(); });
  }
  void sequential() {
    for (const Part& part : parts_) read_all(part);
  }
  void random_copy() { copy(shuffled_); }
  void sequential_copy() { copy(pieces_); }

 private:
  template <class Read>
  void in_batches(Read read) {
    for (std::uint64_t done = 0; done < dataset_.size(); done += batch_.positions.size()) {
      batch_.positions.resize(std::min<std::uint64_t>(options_.batch, dataset_.size() - done));
      std::iota(batch_.positions.begin(), batch_.positions.end(), position_);
      position_ += batch_.positions.size();
      read();
    }
  }

  void read_in_order() {
    batch_.samples.resize(batch_.positions.size());
    batch_.labels.resize(batch_.positions.size());
    batch_.latents.resize(batch_.samples.size() * dataset_.description().latent_elements());
    for (std::size_t i = 0; i < batch_.samples.size(); ++i) {
      batch_.samples[i] = {.index = batch_.positions[i] % dataset_.size()};
    }
    dataset_.read(batch_.samples, options_.seed, scratch_, batch_.latents, batch_.labels);
  }

  void read_all(const Part& part) {
    for (std::uint64_t done = 0; done < part.bytes;) {
      const std::uint64_t piece = std::min<std::uint64_t>(part.bytes - done, buffer_.size());
      part.file.read(part.offset + done, std::span(buffer_).first(piece));
      done += piece;
    }
  }

  // Into the places of a batch, one after the other.
  void copy(const Pieces& pieces) {
    const std::size_t bytes = dataset_.description().stored_bytes();
    std::size_t place = 0;
    for (const auto piece : pieces) {
      std::memcpy(copies_.data() + place * bytes, piece.data(), piece.size());
      place = place + 1 < options_.batch ? place + 1 : 0;
    }
  }

  const Dataset& dataset_;
  ReadBenchOptions options_;
  SampleOrder order_;
  ReadScratch scratch_;
  Batch batch_;
  std::uint64_t position_ = 0;
  std::vector<Part> parts_;
  Pieces pieces_, shuffled_;
  std::vector<std::byte> copies_, buffer_ = std::vector<std::byte>(1 << 20);
};

}  // namespace

ReadBench bench_reads(const std::filesystem::path& path, const ReadBenchOptions& options) {
  const Dataset dataset(path);
  Passes passes(dataset, options);
  enum Way : std::size_t { kRandom, kInOrder, kSequential, kRandomCopy, kSequentialCopy };
  const std::array<std::function<void()>, 5> ways{
      [&] { passes.random(); }, [&] { passes.in_order(); }, [&] { passes.sequential(); },
      [&] { passes.random_copy(); }, [&] { passes.sequential_copy(); }};
  const auto times = time_in_turn(ways, options.seconds);

  const auto rate = [&](Way way) {
    return static_cast<double>(dataset.size()) / median(times[way]);
  };
  const auto to_sequential = [&](Way way) {
    std::vector<double> ratios = times[kSequential];
    for (std::size_t i = 0; i < ratios.size(); ++i) ratios[i] /= times[way][i];
    return median(ratios);
  };
  return {.samples = dataset.size(),
          .sample_bytes = dataset.description().stored_bytes(),
          .random = rate(kRandom),
          .in_order = rate(kInOrder),
          .sequential = rate(kSequential),
          .random_copy = rate(kRandomCopy),
          .sequential_copy = rate(kSequentialCopy),
          .ratio = to_sequential(kRandom),
          .copy_ratio = to_sequential(kRandomCopy)};
}

}  // namespace edt::data
