#include "data/shard.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
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
  samples_ = open_array(file, description_.array_name());
  if (description_.flipped) flipped_ = open_array(file, description_.flipped_name());
  if (map) file_.map();
  if (samples_.set || flipped_.set) hdf5_ = std::make_unique<h5::File>(std::move(file));
  require_ends_written();
  if (description_.moments) check_first_moments();
}

// What an interrupted writer left out is mostly at an end.
void Shard::require_ends_written() const {
  std::vector<std::byte> scratch;
  for (const std::uint64_t sample : {std::uint64_t{0}, size() - 1}) {
    refuse_unwritten(samples_, sample, stored(samples_, sample, 1, scratch));
    if (description_.flipped) {
      refuse_unwritten(flipped_, sample, stored(flipped_, sample, 1, scratch));
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
  for (const std::int64_t label : set.read_all<std::int64_t>(h5::Type::kInt64)) {
    require<DataError>(label >= 0 && label < description_.classes, "shard",
                       "{}: label {} of sample {} is outside 0 to {}", path().string(), label,
                       labels_.size(), description_.classes - 1);
    labels_.push_back(static_cast<std::int32_t>(label));
  }
  if (!has_checksums() || set.type() != h5::Type::kInt32) return;
  const std::vector<std::uint64_t> sums = read_checksums(file, "labels");
  for (std::uint64_t block = 0; block < sums.size(); ++block) {
    const std::uint64_t first = block * block_samples_;
    const auto part = std::span<const std::int32_t>(labels_).subspan(
        first, std::min(block_samples_, rows - first));
    require<DataError>(checksum_of(part) == sums[block], "shard",
                       "{}: labels of samples {} to {}: checksum {}, {} was written",
                       path().string(), first, first + part.size() - 1,
                       checksum_text(checksum_of(part)), checksum_text(sums[block]));
  }
}

std::vector<std::uint64_t> Shard::read_checksums(const h5::File& file,
                                                 const std::string& name) const {
  const h5::DataSet set = file.dataset("checksums/" + name);
  const std::uint64_t expected = (size() + block_samples_ - 1) / block_samples_;
  require<DataError>(set.elements() == expected && set.type() == h5::Type::kUInt64, "shard",
                     "{}: {} checksums, {} blocks", set.label(), set.elements(), expected);
  return set.read_all<std::uint64_t>(h5::Type::kUInt64);
}

Shard::Array Shard::open_array(const h5::File& file, const std::string& name) const {
  h5::DataSet set = file.dataset(name, 0);  // blocks are kept by `cache_`
  const auto stored =
      static_cast<std::uint64_t>(description_.channels) * (description_.moments ? 2 : 1);
  const h5::Shape expected{size(), stored, static_cast<std::uint64_t>(description_.height),
                           static_cast<std::uint64_t>(description_.width)};
  require<DataError>(set.shape() == expected && set.type() == description_.type, "shard",
                     "{}: {} {}, expected {} {}", set.label(), set.type_name(),
                     h5::to_string(set.shape()), h5::name_of(description_.type),
                     h5::to_string(expected));
  Array array;
  if (has_checksums()) {
    array.checksums = read_checksums(file, name);
    array.verified = std::make_unique<std::atomic<bool>[]>(array.checksums.size());
  }
  if (!has_checksums()) array.fill = set.fill_value(description_.type);
  if (const auto offset = set.proven_offset(file_)) {
    array.offset = *offset;
  } else {
    if (set.storage().filtered) array.block = std::min(set.storage().chunk[0], size());
    array.set = std::make_unique<h5::DataSet>(std::move(set));
  }
  return array;
}

// The bytes as they are stored: in the mapped file, or read into `scratch`.
std::span<const std::byte> Shard::stored(const Array& array, std::uint64_t first,
                                         std::uint64_t count,
                                         std::vector<std::byte>& scratch) const {
  const std::uint64_t offset = array.offset + first * description_.stored_bytes();
  const std::uint64_t bytes = count * description_.stored_bytes();
  if (!array.set && file_.is_mapped()) return file_.mapped(offset, bytes);
  scratch.resize(std::max<std::size_t>(scratch.size(), bytes));
  const auto out = std::span(scratch).first(bytes);
  if (!array.set) {
    file_.read(offset, out);
    return out;
  }
  try {
    read_by_hdf5(array, first, count, out);
  } catch (const DataError&) {
    require_kept();  // what HDF5 found there is no longer what was stored
    throw;
  }
  return out;
}

void Shard::read_by_hdf5(const Array& array, std::uint64_t first, std::uint64_t count,
                         std::span<std::byte> out) const {
  if (array.block == 0) {
    return array.set->read_rows(first, count, description_.type, out.data());
  }
  const std::uint64_t sample = description_.stored_bytes(), end = first + count;
  for (std::uint64_t at = first; at < end;) {
    const std::uint64_t begin = at / array.block * array.block;
    const std::uint64_t samples = std::min(array.block, size() - begin);
    const auto block =
        cache_->get(&array, begin, samples * sample, [&](std::vector<std::byte>& bytes) {
          array.set->read_rows(begin, samples, description_.type, bytes.data());
        });
    const std::uint64_t piece = std::min(begin + samples, end) - at;
    std::memcpy(out.data() + (at - first) * sample, block->data() + (at - begin) * sample,
                piece * sample);
    at += piece;
  }
}

double Shard::decoded_samples() const {
  double most = 1;
  for (const Array* array : {&samples_, &flipped_}) {
    if (array->block > 0) most = std::max(most, array->set->decoded_rows());
  }
  return most;
}

std::uint64_t Shard::decoded_bytes() const {
  const std::uint64_t arrays = (samples_.block > 0 ? 1 : 0) + (flipped_.block > 0 ? 1 : 0);
  return arrays * size() * description_.stored_bytes();
}

// The processor follows a stream by itself, but not across pages: in random order it would stand
// still at each page if the `next` sample were not asked for while this one is converted.
bool Shard::convert(std::span<const std::byte> bytes, std::span<float> out,
                    std::span<const std::byte> next) const {
  const auto halves = [](std::span<const std::byte> raw) {
    return std::span(reinterpret_cast<const half_bits*>(raw.data()), raw.size() / 2);
  };
  if (description_.type == h5::Type::kFloat16) {
    return half_to_float(halves(bytes), out,
                         next.size() == bytes.size() ? halves(next) : halves({}));
  }
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return all_finite(out);
}

void Shard::refuse_not_finite(std::uint64_t first, std::uint64_t count,
                              std::span<const float> values) const {
  const std::uint64_t row = values.size() / count;
  for (std::uint64_t i = 0; i < count; ++i) {
    require<DataError>(all_finite(values.subspan(i * row, row)), "shard",
                       "{}: sample {} contains NaN or infinity", path().string(), first + i);
  }
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

void Shard::refuse_unwritten(const Array& array, std::uint64_t first,
                             std::span<const std::byte> bytes) const {
  if (array.fill.empty()) return;
  const std::uint64_t sample = description_.stored_bytes(), value = array.fill.size();
  for (std::uint64_t begin = 0; begin < bytes.size(); begin += sample) {
    const std::byte* at = bytes.data() + begin;
    // Each value is the fill value where the first is, and each other one is as the one before it.
    if (std::memcmp(at, array.fill.data(), value) != 0 ||
        std::memcmp(at, at + value, sample - value) != 0) {
      continue;
    }
    require_kept();
    fail<DataError>("shard", "{}: sample {} was never written: it holds the fill value only",
                    path().string(), first + begin / sample);
  }
}

void Shard::require_kept() const {
  file_.require_kept();
  for (const Array* array : {&samples_, &flipped_}) {
    if (array->set) array->set->require_kept();
  }
}

std::vector<std::filesystem::path> Shard::other_files() const {
  std::vector<std::filesystem::path> files;
  for (const Array* array : {&samples_, &flipped_}) {
    if (array->set) std::ranges::move(array->set->other_files(), std::back_inserter(files));
  }
  return files;
}

void Shard::verify_block(const Array& array, std::uint64_t block,
                         std::vector<std::byte>& scratch) const {
  const std::uint64_t first = block * block_samples_;
  const std::uint64_t count = std::min(block_samples_, size() - first);
  const auto bytes = stored(array, first, count, scratch);
  const std::uint64_t sum = checksum(bytes);
  file_.require_mapping_kept();
  if (sum != array.checksums[block]) {
    require_kept();
    std::vector<float> values(count * description_.stored_elements());
    // The more helpful message where it applies.
    if (!convert(bytes, values)) refuse_not_finite(first, count, values);
    fail<DataError>("shard", "{}: samples {} to {}: checksum {}, {} was written", path().string(),
                    first, first + count - 1, checksum_text(sum),
                    checksum_text(array.checksums[block]));
  }
  array.verified[block].store(true, std::memory_order_relaxed);
}

void Shard::verify_blocks(const Array& array, std::uint64_t first, std::uint64_t count,
                          std::vector<std::byte>& scratch) const {
  for (std::uint64_t block = first / block_samples_; block <= (first + count - 1) / block_samples_;
       ++block) {
    if (!array.verified[block].load(std::memory_order_relaxed)) verify_block(array, block, scratch);
  }
}

std::span<const std::byte> Shard::mapped(std::uint64_t index, bool flipped) const {
  const Array& from = array(flipped);
  if (from.set || !file_.is_mapped()) return {};
  const std::uint64_t bytes = description_.stored_bytes();
  return file_.mapped(from.offset + index * bytes, bytes);
}

void Shard::read(std::uint64_t first, std::uint64_t count, bool flipped, bool verify,
                 std::vector<std::byte>& scratch, std::span<float> out,
                 std::span<const std::byte> next) const {
  EDT_ASSERT(first < size() && count >= 1 && count <= size() - first);
  EDT_ASSERT(!flipped || description_.flipped);
  EDT_ASSERT(out.size() == count * description_.stored_elements());
  if (verify && has_checksums()) verify_blocks(array(flipped), first, count, scratch);
  const auto bytes = stored(array(flipped), first, count, scratch);
  const bool finite = convert(bytes, out, next);
  file_.require_mapping_kept();
  refuse_unwritten(array(flipped), first, bytes);
  if (!finite) refuse_not_finite(first, count, out);
  if (description_.moments) refuse_negative_deviation(first, out);
}

void Shard::look_again() const {
  const std::int64_t now = file_.modified();
  if (std::exchange(modified_, now) == now) return;
  log::warning("{} was written to while it is in use: {}", path().string(),
               has_checksums() ? "its samples are compared with their checksums again"
                               : "without checksums nobody knows what was read since");
  if (has_checksums()) verify();
}

void Shard::verify() const {
  constexpr std::uint64_t kPieceBytes = 1 << 20;
  std::vector<std::byte> scratch;
  std::vector<float> values;
  const std::uint64_t step = std::max<std::uint64_t>(1, kPieceBytes / description_.stored_bytes());
  for (bool flipped : {false, true}) {
    if (flipped && !description_.flipped) break;
    for (std::uint64_t block = 0; block < array(flipped).checksums.size(); ++block) {
      verify_block(array(flipped), block, scratch);
    }
    for (std::uint64_t first = 0; first < size(); first += step) {
      const std::uint64_t count = std::min(step, size() - first);
      values.resize(count * description_.stored_elements());
      read(first, count, flipped, false, scratch, values);
    }
  }
  require_kept();
}

}  // namespace edt::data
