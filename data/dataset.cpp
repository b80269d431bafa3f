#include "data/dataset.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/random/stream.h"
#include "core/storage/access.h"
#include "core/storage/durable_file.h"
#include "core/storage/half.h"
#include "core/storage/missing_path.h"
#include "data/natural_order.h"
#include "data/shard_copies.h"

namespace edt::data {

namespace fs = std::filesystem;

std::vector<fs::path> list_shards(const fs::path& path) {
  std::error_code code;
  if (fs::is_regular_file(path, code)) return {path};
  const std::string denied = reading_problem(path);
  require<DataError>(denied.empty(), "data", "{}", denied);
  require<DataError>(fs::is_directory(path, code), "data", "{}: there is no such data set{}",
                     path.string(), missing_path_hint(path));
  std::vector<fs::path> shards;
  for (const auto& entry : fs::directory_iterator(path, code)) {
    const std::string extension = lower_case_extension(entry.path());
    const bool hidden = entry.path().filename().string()[0] == '.';
    if (!hidden && (extension == ".h5" || extension == ".hdf5")) shards.push_back(entry.path());
  }
  require<DataError>(!code, "data", "{}: cannot be listed: {}", path.string(), code.message());
  require<DataError>(!shards.empty(), "data", "{}: holds no shards (*.h5)", path.string());
  std::sort(shards.begin(), shards.end());
  return shards;
}

Dataset::Dataset(const fs::path& path, const DatasetOptions& options)
    : path_(path), options_(options), begin_{0} {
  const auto cache = std::make_shared<BlockCache>(options.cache_bytes);
  const std::vector<fs::path> files = list_shards(path);
  require_open_files(files.size(),
                     fmt::format("{}: its {} shards are", path.string(), files.size()));
  for (const fs::path& file : files) {
    shards_.push_back(std::make_unique<Shard>(file, options.map_files, cache));
    begin_.push_back(begin_.back() + shards_.back()->size());
  }
  description_ = shards_[0]->description();
  for (const auto& shard : shards_) {
    require_same(description_, shards_[0]->path().string(), shard->description(),
                 shard->path().string());
  }
  join_texts();
  check_order();
  refuse_copies(shards_);
  require<UsageError>(!options.normalize || !description_.channel_mean.empty(), "data",
                      "{}: normalization was asked for, but channel_mean and channel_std are not "
                      "recorded",
                      path.string());
  for (const double deviation : description_.channel_std) {
    const double eps = options.normalize_eps;
    divisors_.push_back(eps == 0 ? deviation : std::sqrt(deviation * deviation + eps));
  }
  for (const ArrayRequest& request : options.arrays) {
    arrays_.push_back(resolve_array(description_, request, path.string()));
  }
}

SampleOrder Dataset::make_order(const OrderOptions& options) const {
  for (const RequestedArray& requested : arrays_) {
    if (requested.kind != RequestedArray::Kind::kArray) continue;
    const SampleArray& array = description_.arrays[requested.index];
    require<UsageError>(!options.flips || !description_.flipped || array.flipped, "data",
                        "{}: data.flip is on and the latents have mirrored copies, array '{}' has "
                        "none",
                        path_.string(), array.name);
  }
  return SampleOrder(options, shard_sizes(), description_.flipped);
}

std::uint64_t Dataset::read_bytes() const {
  std::uint64_t bytes = description_.stored_bytes();
  for (const RequestedArray& array : arrays_) {
    if (array.kind == RequestedArray::Kind::kText) bytes += mean_text_bytes();
    if (array.kind != RequestedArray::Kind::kArray) continue;
    bytes += description_.arrays[array.index].bytes();
  }
  return bytes;
}

// Shards that record their place must stand at it; others must at least be named so that there is
// only one way to sort them.
void Dataset::check_order() const {
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    const std::string file = shards_[i]->path().string();
    const auto& place = shards_[i]->place();
    require<DataError>(place.has_value() == shards_[0]->place().has_value(), "data",
                       "{}: only some shards record their place in the data set", file);
    if (!place) {
      require<DataError>(i == 0 || natural_less(shards_[i - 1]->path().filename().string(),
                                                shards_[i]->path().filename().string()),
                         "data",
                         "{} sorts after {} by letters but before it by number: pad the numbers",
                         file, shards_[std::max<std::size_t>(i, 1) - 1]->path().string());
      continue;
    }
    const auto index = static_cast<std::int64_t>(i);
    require<DataError>(place->count == shards_[0]->place()->count &&
                           place->total_samples == shards_[0]->place()->total_samples,
                       "data", "{}: one of {} shards with {} samples, but {} is one of {} with {}",
                       file, place->count, place->total_samples, shards_[0]->path().string(),
                       shards_[0]->place()->count, shards_[0]->place()->total_samples);
    require<DataError>(place->index <= index, "data", "{}: shard {} of {} is missing before {}",
                       path_.string(), index, place->count, file);
    require<DataError>(place->index == index, "data", "{}: is shard {}, but stands at place {}",
                       file, place->index, index);
    require<DataError>(place->first_sample == static_cast<std::int64_t>(begin_[i]), "data",
                       "{}: begins at sample {}, the shards before it end at {}", file,
                       place->first_sample, begin_[i]);
  }
  const auto& place = shards_.back()->place();
  if (!place) return;
  require<DataError>(place->count == static_cast<std::int64_t>(shards_.size()), "data",
                     "{}: {} of {} shards are there, shard {} is missing", path_.string(),
                     shards_.size(), place->count, shards_.size());
  require<DataError>(place->total_samples == static_cast<std::int64_t>(size()), "data",
                     "{}: {} samples, {} are recorded", path_.string(), size(),
                     place->total_samples);
}

std::string Dataset::slow_layout() const {
  constexpr double kSlow = 4;
  double most = 1, decoded = 0;
  for (const auto& shard : shards_) {
    most = std::max(most, shard->decoded_samples());
    decoded += static_cast<double>(shard->decoded_bytes());
  }
  const auto kept = static_cast<double>(options_.cache_bytes);
  if (most < kSlow || decoded <= kept) return "";
  constexpr double kMiB = 1 << 20;
  return fmt::format(
      "{}: its samples lie in compressed chunks: each read in random order decodes {:.0f} samples "
      "to give one, and {:.0f} of {:.0f} MiB stay decoded (data.cache). `edt data repack {} OUT` "
      "writes them so that each is read alone",
      path_.string(), most, kept / kMiB, decoded / kMiB, path_.string());
}

std::vector<std::uint64_t> Dataset::shard_sizes() const {
  std::vector<std::uint64_t> sizes;
  for (const auto& shard : shards_) sizes.push_back(shard->size());
  return sizes;
}

std::size_t Dataset::shard_of(std::uint64_t index) const {
  if (index >= size()) {
    fail<DataError>("data", "{}: sample {} asked for, there are {}", path_.string(), index, size());
  }
  return static_cast<std::size_t>(std::upper_bound(begin_.begin(), begin_.end(), index) -
                                  begin_.begin()) -
         1;
}

std::int32_t Dataset::label(std::uint64_t index) const {
  const std::size_t shard = shard_of(index);
  return shards_[shard]->labels()[index - begin_[shard]];
}

// The longest text of all, and the null text once.
void Dataset::join_texts() {
  for (const auto& shard : shards_) {
    description_.text.tokens = std::max(description_.text.tokens, shard->description().text.tokens);
    shard->share_null_text(description_.text);
  }
}

std::uint64_t Dataset::mean_text_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& shard : shards_) {
    const ShardArray& features = shard->texts()->features();
    bytes += features.samples() * features.sample_bytes();
  }
  return bytes / size();
}

std::vector<float> Dataset::null_text() const {
  require<DataError>(description_.text.present(), "data", "{}: there are no texts", path_.string());
  std::vector<float> out(description_.text.null->size());
  half_to_float(*description_.text.null, out);
  return out;
}

const TextReader& Dataset::texts_at(std::uint64_t index, std::uint64_t& row) const {
  require<DataError>(description_.text.present(), "data", "{}: there are no texts", path_.string());
  const std::size_t shard = shard_of(index);
  row = index - begin_[shard];
  return *shards_[shard]->texts();
}

std::uint64_t Dataset::text_tokens(std::uint64_t index) const {
  std::uint64_t row = 0;
  return texts_at(index, row).tokens(row);
}

std::vector<float> Dataset::text_of(std::uint64_t index) const {
  std::uint64_t row = 0;
  const TextReader& texts = texts_at(index, row);
  std::vector<float> out(texts.tokens(row) * description_.text.channels);
  std::vector<std::byte> scratch;
  texts.read(row, options_.verify_blocks, scratch, out);
  shards_[shard_of(index)]->require_kept();
  return out;
}

std::string Dataset::caption(std::uint64_t index) const {
  std::uint64_t row = 0;
  const TextReader& texts = texts_at(index, row);
  return description_.text.captions ? texts.captions(row, 1)[0] : "";
}

void Dataset::look_again() const {
  for (const auto& shard : shards_) shard->look_again();
}

void Dataset::require_fits(int channels, int height, int width, int classes,
                           std::string_view size_option) const {
  const Description& d = description_;
  if (d.is_sequence()) {
    require<DataError>(d.channels == channels && height == 1 && d.width == width, "data",
                       "{}: sequences of {} frames of {} numbers, the model takes {} x {} x {}; "
                       "model.channels {}, model.sequence-length {} would fit",
                       path_.string(), d.width, d.channels, channels, height, width, d.channels,
                       d.width);
  }
  const auto what_would_fit = [&]() -> std::string {
    if (d.channels != channels || (d.height == height && d.width == width)) return "";
    const std::string fits = fmt::format("; {} {}", size_option, d.factor() * d.height);
    if (d.height == d.width) return fits + " would fit";
    return fmt::format("{} and model.image-width {} would fit", fits, d.factor() * d.width);
  };
  require<DataError>(d.channels == channels && d.height == height && d.width == width, "data",
                     "{}: latents of {} x {} x {}, the model takes {} x {} x {}{}", path_.string(),
                     d.channels, d.height, d.width, channels, height, width, what_would_fit());
  require<DataError>(classes == 0 || d.classes == classes, "data",
                     "{}: {} classes, the model has {} (model.classes)", path_.string(), d.classes,
                     classes);
}

// stored -> what the model sees, for one sample.
void Dataset::finish_sample(const SampleRef& ref, std::uint64_t seed, std::span<const float> stored,
                            ReadScratch& scratch, std::span<float> out) const {
  const std::size_t n = out.size();
  if (description_.moments) {
    scratch.values.resize(std::max(scratch.values.size(), n));
    const auto noise = std::span(scratch.values).first(n);
    random::fill_normal(
        {seed, random::Purpose::kDataMoments, ref.epoch, static_cast<std::uint32_t>(ref.index)},
        noise);
    const auto scale = static_cast<float>(description_.scale);
    for (std::size_t i = 0; i < n; ++i) out[i] = (stored[i] + stored[n + i] * noise[i]) * scale;
  }
  if (!options_.normalize) return;
  const std::size_t plane = n / static_cast<std::size_t>(description_.channels);
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t c = i / plane;
    out[i] = static_cast<float>((out[i] - description_.channel_mean[c]) / divisors_[c]);
  }
}

namespace {

// A sample of a batch in one word, most significant first: mirrored or not, sample, place in the
// batch. Words sort much faster than places that are compared by what they refer to.
constexpr int kPlaceBits = 31;
constexpr std::uint64_t kPlaceMask = (std::uint64_t{1} << kPlaceBits) - 1;

}  // namespace

void Dataset::sort_into_file_order(std::span<const SampleRef> refs,
                                   std::vector<std::uint64_t>& order) const {
  EDT_ASSERT(refs.size() <= kPlaceMask && size() <= std::uint64_t{1} << 32);
  order.resize(refs.size());
  for (std::size_t i = 0; i < refs.size(); ++i) {
    const SampleRef& ref = refs[i];
    if (ref.index >= size()) (void)shard_of(ref.index);  // says so
    order[i] = std::uint64_t{ref.flipped} << 63 | ref.index << kPlaceBits | i;
  }
  std::sort(order.begin(), order.end());
}

template <class Read>
void Dataset::for_each_sample(std::span<const SampleRef> refs, std::vector<std::uint64_t>& order,
                              Read read) const {
  sort_into_file_order(refs, order);
  std::size_t shard = 0, shard_read = 0;
  for (std::size_t turn = 0; turn < refs.size(); ++turn) {
    const std::size_t place = order[turn] & kPlaceMask;
    const std::uint64_t index = refs[place].index;
    // Neighbours in file order mostly share a shard.
    if (index < begin_[shard] || index >= begin_[shard + 1]) shard = shard_of(index);
    if (turn > 0 && shard != shard_read) shards_[shard_read]->require_kept();
    shard_read = shard;
    read(turn, place, *shards_[shard], index - begin_[shard]);
  }
  if (!refs.empty()) shards_[shard_read]->require_kept();
}

void Dataset::read(std::span<const SampleRef> refs, std::uint64_t seed, ReadScratch& scratch,
                   std::span<float> latents, std::span<std::int32_t> labels) const {
  const std::size_t n = description_.latent_elements();
  const std::size_t stored = description_.stored_elements();
  EDT_ASSERT(latents.size() == refs.size() * n);
  EDT_ASSERT(labels.empty() || labels.size() == refs.size());
  // Moments are read beside the noise of finish_sample, latents straight into place.
  std::vector<float>& values = scratch.values;
  if (description_.moments) values.resize(std::max(values.size(), n + stored));
  std::size_t shard_ahead = 0;
  const auto stored_at = [&](std::size_t turn) -> std::span<const std::byte> {
    if (turn >= refs.size()) return {};
    const SampleRef& ref = refs[scratch.order[turn] & kPlaceMask];
    if (ref.index < begin_[shard_ahead] || ref.index >= begin_[shard_ahead + 1]) {
      shard_ahead = shard_of(ref.index);
    }
    return shards_[shard_ahead]->mapped(ref.index - begin_[shard_ahead], ref.flipped);
  };
  for_each_sample(refs, scratch.order,
                  [&](std::size_t turn, std::size_t place, const Shard& file, std::uint64_t row) {
                    const SampleRef& ref = refs[place];
                    const auto out = latents.subspan(place * n, n);
                    const auto target =
                        description_.moments ? std::span(values).subspan(n, stored) : out;
                    file.read(row, 1, ref.flipped, options_.verify_blocks, scratch.bytes, target,
                              stored_at(turn + 1));
                    finish_sample(ref, seed, target, scratch, out);
                    if (!labels.empty()) labels[place] = file.labels()[row];
                  });
}

void Dataset::read_text(const Shard& file, std::uint64_t row, ReadScratch& scratch,
                        std::span<float> out) const {
  const std::uint64_t values = file.texts()->tokens(row) * description_.text.channels;
  file.texts()->read(row, options_.verify_blocks, scratch.bytes, out.first(values));
  std::ranges::fill(out.subspan(values), 0.f);
}

void Dataset::read_array(std::size_t array, std::span<const SampleRef> refs, ReadScratch& scratch,
                         std::span<float> out) const {
  const RequestedArray& requested = arrays_[array];
  EDT_ASSERT(out.size() == refs.size() * requested.elements);
  using Kind = RequestedArray::Kind;
  const std::uint64_t stored =
      requested.kind == Kind::kArray ? description_.arrays[requested.index].elements() : 0;
  for_each_sample(refs, scratch.order,
                  [&](std::size_t, std::size_t place, const Shard& file, std::uint64_t row) {
                    const auto to = out.subspan(place * requested.elements, requested.elements);
                    if (requested.kind == Kind::kText) return read_text(file, row, scratch, to);
                    if (requested.kind == Kind::kTextLength) {
                      to[0] = static_cast<float>(file.texts()->tokens(row));
                      return;
                    }
                    auto values = to;
                    if (requested.average) {
                      scratch.values.resize(std::max(scratch.values.size(), stored));
                      values = std::span(scratch.values).first(stored);
                    }
                    file.read_array(requested.index, row, 1, refs[place].flipped,
                                    options_.verify_blocks, scratch.array, values);
                    if (requested.average) (*requested.average)(values, to);
                  });
}

}  // namespace edt::data
