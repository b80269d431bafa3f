#include "data/read_bench.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "core/storage/hdf5.h"
#include "core/storage/input_file.h"
#include "data/prefetcher.h"

namespace edt::data {

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Samples per second of `pass`, which reads `samples` of them; repeated for `seconds`, the first
// pass not counted.
template <class Pass>
double rate(std::uint64_t samples, double seconds, Pass pass) {
  pass();
  const double begin = now();
  double passes = 0;
  do {
    pass();
    ++passes;
  } while (now() - begin < seconds);
  return passes * static_cast<double>(samples) / (now() - begin);
}

void read_sequentially(const InputFile& file, std::uint64_t offset, std::uint64_t bytes,
                       std::vector<std::byte>& buffer) {
  while (bytes > 0) {
    const std::uint64_t piece = std::min<std::uint64_t>(bytes, buffer.size());
    file.read(offset, std::span(buffer).first(piece));
    offset += piece;
    bytes -= piece;
  }
}

}  // namespace

ReadBench bench_reads(const std::filesystem::path& path, const ReadBenchOptions& options) {
  const Dataset dataset(path);
  ReadBench bench{.samples = dataset.size(), .sample_bytes = dataset.description().stored_bytes()};

  SampleOrder order = dataset.make_order({.seed = options.seed, .flips = false});
  ReadScratch scratch;
  Batch batch;
  std::uint64_t position = 0;
  // All samples once, in batches.
  const auto pass = [&](auto read) {
    for (std::uint64_t done = 0; done < dataset.size(); done += batch.positions.size()) {
      batch.positions.resize(std::min<std::uint64_t>(options.batch, dataset.size() - done));
      for (std::uint64_t& p : batch.positions) p = position++;
      read();
    }
  };
  bench.random_samples_per_s = rate(dataset.size(), options.seconds, [&] {
    pass([&] { read_batch(dataset, order, scratch, batch); });
  });
  bench.in_order_samples_per_s = rate(dataset.size(), options.seconds, [&] {
    pass([&] {
      batch.samples.resize(batch.positions.size());
      for (std::size_t i = 0; i < batch.samples.size(); ++i) {
        batch.samples[i] = {.index = batch.positions[i] % dataset.size()};
        batch.labels[i] = dataset.label(batch.samples[i].index);
      }
      batch.latents.resize(batch.samples.size() * dataset.description().latent_elements());
      dataset.read(batch.samples, options.seed, scratch, batch.latents);
    });
  });

  struct Part {
    InputFile file;
    std::uint64_t offset, bytes;
  };
  std::vector<Part> parts;
  for (const auto& shard : dataset.shards()) {
    InputFile file(shard->path());
    const auto offset =
        h5::File::open(shard->path()).dataset(dataset.description().array_name()).raw_offset();
    // Chunked or compressed arrays of other programs: all of the file.
    const std::uint64_t bytes = offset ? shard->size() * bench.sample_bytes : file.size();
    parts.push_back({std::move(file), offset.value_or(0), bytes});
  }
  std::vector<std::byte> buffer(1 << 20);
  bench.sequential_samples_per_s = rate(dataset.size(), options.seconds, [&] {
    for (const Part& part : parts) read_sequentially(part.file, part.offset, part.bytes, buffer);
  });
  return bench;
}

}  // namespace edt::data
