#include "data/shard.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/storage/checksum.h"
#include "core/storage/file_change.h"
#include "core/storage/half.h"
#include "data/seal.h"

namespace edt::data {

Shard::Shard(const std::filesystem::path& path, bool map, std::shared_ptr<BlockCache> cache)
    : file_(path),
      cache_(cache ? std::move(cache) : std::make_shared<BlockCache>(kDefaultCacheBytes)) {
  require<DataError>(!std::filesystem::exists(change_path(path)), "shard",
                     "{}: a change of it was interrupted: `edt data adopt` completes it",
                     path.string());
  modified_ = file_.modified();
  sealed_ = check_seal(file_) == Sealed::kYes;
  h5::File file = h5::File::open(path);
  std::vector<std::string> missing = missing_attributes(file);
  if (!missing.empty() && !file.has_attribute("complete")) missing.push_back("complete");
  require<DataError>(missing.empty(), "shard",
                     "{}: lacks the attribute{} {}: `edt data adopt` writes what a set of another "
                     "program lacks",
                     path.string(), missing.size() == 1 ? "" : "s", fmt::join(missing, ", "));
  require<DataError>(file.has_attribute("complete") && file.read_int("complete") == 1, "shard",
                     "{}: not marked complete: its writer was interrupted", path.string());
  description_ = read_description(file);
  read_place(file);
  block_samples_ = 0;
  if (file.has("checksums")) {
    const std::int64_t samples = file.read_int("checksum_block");
    require<DataError>(samples >= 1 && samples <= (1 << 24), "shard", "{}checksum_block is {}",
                       file.label(), samples);
    block_samples_ = static_cast<std::uint64_t>(samples);
  }
  read_labels(file);
  open_arrays(file);
  if (map) file_.map();
  const bool all_raw = std::ranges::all_of(all_, [](const auto* array) { return array->is_raw(); });
  if (!all_raw) hdf5_ = std::make_unique<h5::File>(std::move(file));
  require_ends_written();
  if (description_.moments) check_first_moments();
}

std::unique_ptr<ShardArray> Shard::open_array(const h5::File& file, const std::string& name,
                                              h5::Type type, const h5::Shape& shape,
                                              std::uint64_t block) const {
  return std::make_unique<ShardArray>(file, file_, name, type, shape, block, *cache_);
}

Shard::Beside Shard::open_beside(const h5::File& file, const SampleArray& array,
                                 bool mirrored) const {
  h5::Shape shape{size()};
  shape.insert(shape.end(), array.shape.begin(), array.shape.end());
  const auto open = [&](const std::string& name, h5::Type type) {
    const std::string sums = "checksums/" + name;
    const bool checked = file.has(sums);
    const std::int64_t block = checked ? file.dataset(sums).read_int("checksum_block") : 0;
    require<DataError>(!checked || (block >= 1 && block <= (1 << 24)), "shard",
                       "{}{}: checksum_block is {}", file.label(), sums, block);
    return open_array(file, name, type, shape, static_cast<std::uint64_t>(block));
  };
  Beside beside{open(array.values_name(mirrored), array.type), nullptr};
  if (!array.has_scales()) return beside;
  shape.pop_back();
  beside.scales = open(array.scales_name(mirrored), h5::Type::kFloat32);
  return beside;
}

void Shard::open_arrays(const h5::File& file) {
  const Description& d = description_;
  const h5::Shape shape{size(), static_cast<std::uint64_t>(d.channels) * (d.moments ? 2 : 1),
                        static_cast<std::uint64_t>(d.height), static_cast<std::uint64_t>(d.width)};
  samples_ = open_array(file, d.array_name(), d.type, shape, block_samples_);
  if (d.flipped) flipped_ = open_array(file, d.flipped_name(), d.type, shape, block_samples_);
  for (const SampleArray& array : d.arrays) {
    arrays_.push_back(open_beside(file, array, false));
    flipped_arrays_.push_back(array.flipped ? open_beside(file, array, true) : Beside{});
  }
  const auto note = [&](const std::unique_ptr<ShardArray>& array) {
    if (array) all_.push_back(array.get());
  };
  note(samples_), note(flipped_);
  for (const auto* arrays : {&arrays_, &flipped_arrays_}) {
    for (const Beside& beside : *arrays) note(beside.values), note(beside.scales);
  }
  if (!d.text.present()) return;
  texts_ = std::make_unique<TextReader>(file, file_, d.text, size(), *cache_);
  all_.push_back(&texts_->features());
  if (d.text.tokens == 0) {
    description_.text.tokens = std::max(texts_->longest(), d.text.null_tokens());
  }
}

// What an interrupted writer left out is mostly at an end.
void Shard::require_ends_written() const {
  std::vector<std::byte> scratch;
  for (const ShardArray* array : all_) {
    if (texts_ && array == &texts_->features()) continue;  // whose tokens may be padding
    for (const std::uint64_t row : {std::uint64_t{0}, array->samples() - 1}) {
      array->require_written(row, array->read(row, 1, false, scratch));
    }
  }
}

// At once, since a set of log variances is wrong from its first sample.
void Shard::check_first_moments() const {
  std::vector<std::byte> scratch;
  std::vector<float> values(description_.stored_elements());
  read(0, 1, false, false, scratch, values);
}

void Shard::read_place(const h5::File& file) {
  if (!file.has_attribute("shard_index")) return;
  ShardPlace place{file.read_int("shard_index"), file.read_int("shard_count"),
                   file.read_int("first_sample"), file.read_int("total_samples")};
  require<DataError>(place.index >= 0 && place.count > place.index && place.first_sample >= 0 &&
                         place.total_samples > place.first_sample,
                     "shard", "{}: shard {} of {}, samples from {} of {} make no sense",
                     path().string(), place.index, place.count, place.first_sample,
                     place.total_samples);
  place_ = place;
}

void Shard::read_labels(const h5::File& file) {
  const h5::DataSet set = file.dataset("labels");
  const std::uint64_t rows = file.dataset(description_.array_name()).rows();
  const bool column = set.shape().size() == 2 && set.shape()[1] == 1;
  require<DataError>(set.shape().size() == 1 || column, "shard",
                     "{}: shape {}, expected [N] or [N, 1]", set.label(),
                     h5::to_string(set.shape()));
  require<DataError>(set.rows() == rows, "shard", "{}: {} labels, {} samples", set.label(),
                     set.rows(), rows);
  require<DataError>(rows >= 1, "shard", "{}: holds no samples", path().string());
  require<DataError>(h5::is_integer(set.type()), "shard", "{}: element type {}, expected int32",
                     set.label(), set.type_name());
  const std::string name = path().string();
  for (const std::int64_t label : set.read_all<std::int64_t>(h5::Type::kInt64)) {
    require<DataError>(label >= 0 && label < description_.classes, "shard",
                       "{}: label {} of sample {} is outside 0 to {}", name, label, labels_.size(),
                       description_.classes - 1);
    labels_.push_back(static_cast<std::int32_t>(label));
  }
  if (!has_checksums() || set.type() != h5::Type::kInt32) return;
  const std::uint64_t blocks = (size() + block_samples_ - 1) / block_samples_;
  const std::vector<std::uint64_t> sums = read_checksums(file, "labels", blocks);
  for (std::uint64_t block = 0; block < sums.size(); ++block) {
    const std::uint64_t first = block * block_samples_;
    const auto part = std::span<const std::int32_t>(labels_).subspan(
        first, std::min(block_samples_, rows - first));
    const std::uint64_t found = checksum_of(part);
    require<DataError>(found == sums[block], "shard",
                       "{}: labels of samples {} to {}: checksum {}, {} was written",
                       path().string(), first, first + part.size() - 1, checksum_text(found),
                       checksum_text(sums[block]));
  }
}

double Shard::decoded_samples() const {
  double most = 1;
  for (const ShardArray* array : all_) {
    const double texts = static_cast<double>(array->samples()) / static_cast<double>(size());
    most = std::max(most, array->decoded_samples() / texts);  // of rows that a sample has
  }
  return most;
}

std::uint64_t Shard::decoded_bytes() const {
  std::uint64_t bytes = 0;
  for (const ShardArray* array : all_) bytes += array->decoded_bytes();
  return bytes;
}

// Others write log variances into what this format wants as deviations.
void Shard::refuse_negative_deviation(std::uint64_t first, std::span<const float> values) const {
  const std::uint64_t half = description_.latent_elements();
  for (std::uint64_t i = 0; i < values.size() / (2 * half); ++i) {
    const auto deviations = values.subspan((2 * i + 1) * half, half);
    const float least = *std::min_element(deviations.begin(), deviations.end());
    require<DataError>(least >= 0, "shard",
                       "{}: sample {}: standard deviation {} is negative: log variances? `edt data "
                       "import --moments logvar` converts them",
                       path().string(), first + i, least);
  }
}

void Shard::require_kept() const {
  file_.require_kept();
  for (const ShardArray* array : all_) array->require_kept();
}

std::vector<std::filesystem::path> Shard::other_files() const {
  std::vector<std::filesystem::path> files;
  for (const ShardArray* array : all_) {
    std::ranges::move(array->other_files(), std::back_inserter(files));
  }
  return files;
}

std::span<const std::byte> Shard::mapped(std::uint64_t index, bool flipped) const {
  return array(flipped).mapped(index);
}

void Shard::read(std::uint64_t first, std::uint64_t count, bool flipped, bool verify,
                 std::vector<std::byte>& scratch, std::span<float> out,
                 std::span<const std::byte> next) const {
  EDT_ASSERT(!flipped || description_.flipped);
  array(flipped).read(first, count, verify, scratch, out, next);
  if (description_.moments) refuse_negative_deviation(first, out);
}

void Shard::read_array(std::size_t array, std::uint64_t first, std::uint64_t count, bool flipped,
                       bool verify, StoredArray& scratch, std::span<float> out) const {
  const Beside& from = beside(array, flipped);
  EDT_ASSERT(from.values);
  if (!from.scales) return from.values->read(first, count, verify, scratch.values, out);
  const auto values = from.values->read(first, count, verify, scratch.values);
  const auto scales = from.scales->read(first, count, verify, scratch.scales);
  apply_scales(values, scales, out);
  file_.require_mapping_kept();
  from.values->require_written(first, values);
  from.scales->require_written(first, scales);
  const std::uint64_t row = out.size() / count;
  for (std::uint64_t i = 0; i < count; ++i) {
    require<DataError>(all_finite(out.subspan(i * row, row)), "shard",
                       "{}: array {}: sample {} contains NaN or infinity", path().string(),
                       description_.arrays[array].name, first + i);
  }
}

void Shard::append_array(std::size_t array, std::uint64_t first, std::uint64_t count, bool flipped,
                         StoredArray& out) const {
  const Beside& from = beside(array, flipped);
  EDT_ASSERT(from.values);
  std::vector<std::byte> scratch;
  const auto append = [&](const ShardArray& stored, std::vector<std::byte>& to) {
    const auto bytes = stored.read(first, count, true, scratch);
    to.insert(to.end(), bytes.begin(), bytes.end());
    file_.require_mapping_kept();
    stored.require_written(first, bytes);
  };
  append(*from.values, out.values);
  if (from.scales) append(*from.scales, out.scales);
}

void Shard::look_again() const {
  const std::int64_t now = file_.modified();
  if (std::exchange(modified_, now) == now) return;
  log::warning("{} was written to while it is in use: {}", path().string(),
               has_checksums() ? "its samples are compared with their checksums again"
                               : "without checksums nobody knows what was read since");
  if (has_checksums()) verify();
}

namespace {

// Calls `read` with the first sample and the number of those that are a piece of all.
template <class Read>
void for_each_piece(std::uint64_t samples, std::uint64_t sample_bytes, Read read) {
  constexpr std::uint64_t kPieceBytes = 1 << 20;
  const std::uint64_t step = std::max<std::uint64_t>(1, kPieceBytes / sample_bytes);
  for (std::uint64_t first = 0; first < samples; first += step) {
    read(first, std::min(step, samples - first));
  }
}

}  // namespace

void Shard::verify_values(bool flipped) const {
  std::vector<std::byte> scratch;
  std::vector<float> values;
  for_each_piece(size(), description_.stored_bytes(),
                 [&](std::uint64_t first, std::uint64_t count) {
                   values.resize(count * description_.stored_elements());
                   read(first, count, flipped, false, scratch, values);
                 });
}

void Shard::verify_beside(std::size_t array, bool flipped) const {
  const SampleArray& described = description_.arrays[array];
  StoredArray scratch;
  std::vector<float> values;
  for_each_piece(size(), described.bytes(), [&](std::uint64_t first, std::uint64_t count) {
    values.resize(count * described.elements());
    read_array(array, first, count, flipped, false, scratch, values);
  });
}

void Shard::verify() const {
  for (const ShardArray* array : all_) array->verify();
  if (texts_) texts_->verify();
  for (const bool flipped : {false, true}) {
    if (!flipped || description_.flipped) verify_values(flipped);
    for (std::size_t i = 0; i < description_.arrays.size(); ++i) {
      if (!flipped || description_.arrays[i].flipped) verify_beside(i, flipped);
    }
  }
  require_kept();
}

}  // namespace edt::data
