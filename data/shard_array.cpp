#include "data/shard_array.h"

#include <algorithm>
#include <cstring>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/storage/checksum.h"
#include "core/storage/half.h"

namespace edt::data {

namespace {

std::uint64_t row_elements(const h5::Shape& shape) {
  std::uint64_t product = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) product *= shape[i];
  return product;
}

std::span<const half_bits> halves(std::span<const std::byte> raw) {
  return {reinterpret_cast<const half_bits*>(raw.data()), raw.size() / sizeof(half_bits)};
}

}  // namespace

std::vector<std::uint64_t> read_checksums(const h5::File& file, const std::string& name,
                                          std::uint64_t blocks) {
  const h5::DataSet set = file.dataset("checksums/" + name);
  require<DataError>(set.elements() == blocks && set.type() == h5::Type::kUInt64, "shard",
                     "{}: {} checksums, {} blocks", set.label(), set.elements(), blocks);
  return set.read_all<std::uint64_t>(h5::Type::kUInt64);
}

ShardArray::ShardArray(const h5::File& file, const InputFile& bytes, const std::string& name,
                       h5::Type type, const h5::Shape& shape, std::uint64_t block,
                       BlockCache& cache, const char* row)
    : bytes_(&bytes),
      cache_(&cache),
      row_(row),
      where_(bytes.path().string()),
      type_(type),
      samples_(shape[0]),
      elements_(row_elements(shape)),
      block_(block) {
  h5::DataSet set = file.dataset(name, 0);  // blocks are kept by `cache`
  require<DataError>(set.shape() == shape && set.type() == type, "shard",
                     "{}: {} {}, expected {} {}", set.label(), set.type_name(),
                     h5::to_string(set.shape()), h5::name_of(type), h5::to_string(shape));
  const bool is_latents = name.find('/') == name.npos && std::string_view(row) == "sample";
  if (!is_latents) where_ = set.label();
  if (block_ > 0) {
    checksums_ = read_checksums(file, name, (samples_ + block_ - 1) / block_);
    verified_ = std::make_unique<std::atomic<bool>[]>(checksums_.size());
  } else {
    fill_ = set.fill_value(type);
  }
  if (const auto offset = set.proven_offset(bytes)) {
    offset_ = *offset;
  } else {
    if (set.storage().filtered) decoded_ = std::min(set.storage().chunk[0], samples_);
    set_ = std::make_unique<h5::DataSet>(std::move(set));
  }
}

std::span<const std::byte> ShardArray::stored(std::uint64_t first, std::uint64_t count,
                                              std::vector<std::byte>& scratch) const {
  const std::uint64_t offset = offset_ + first * sample_bytes(), size = count * sample_bytes();
  if (!set_ && bytes_->is_mapped()) return bytes_->mapped(offset, size);
  scratch.resize(std::max<std::size_t>(scratch.size(), size));
  const auto out = std::span(scratch).first(size);
  if (!set_) {
    bytes_->read(offset, out);
    return out;
  }
  try {
    read_by_hdf5(first, count, out);
  } catch (const DataError&) {
    require_kept();  // what HDF5 found there is no longer what was stored
    throw;
  }
  return out;
}

void ShardArray::read_by_hdf5(std::uint64_t first, std::uint64_t count,
                              std::span<std::byte> out) const {
  if (decoded_ == 0) return set_->read_rows(first, count, type_, out.data());
  const std::uint64_t sample = sample_bytes(), end = first + count;
  for (std::uint64_t at = first; at < end;) {
    const std::uint64_t begin = at / decoded_ * decoded_;
    const std::uint64_t samples = std::min(decoded_, samples_ - begin);
    const auto block =
        cache_->get(set_.get(), begin, samples * sample, [&](std::vector<std::byte>& bytes) {
          set_->read_rows(begin, samples, type_, bytes.data());
        });
    const std::uint64_t piece = std::min(begin + samples, end) - at;
    std::memcpy(out.data() + (at - first) * sample, block->data() + (at - begin) * sample,
                piece * sample);
    at += piece;
  }
}

std::span<const std::byte> ShardArray::read(std::uint64_t first, std::uint64_t count, bool verify,
                                            std::vector<std::byte>& scratch) const {
  EDT_ASSERT(first < samples_ && count >= 1 && count <= samples_ - first);
  if (verify && block_ > 0) {
    for (std::uint64_t block = first / block_; block <= (first + count - 1) / block_; ++block) {
      if (!verified_[block].load(std::memory_order_relaxed)) verify_block(block, scratch);
    }
  }
  return stored(first, count, scratch);
}

void ShardArray::read(std::uint64_t first, std::uint64_t count, bool verify,
                      std::vector<std::byte>& scratch, std::span<float> out,
                      std::span<const std::byte> next) const {
  EDT_ASSERT(is_floating() && out.size() == count * elements_);
  const auto bytes = read(first, count, verify, scratch);
  const bool finite = convert(bytes, out, next);
  bytes_->require_mapping_kept();
  require_written(first, bytes);
  if (!finite) refuse_not_finite(first, count, out);
}

// The processor follows a stream by itself, but not across pages: in random order it would stand
// still at each page if the `next` sample were not asked for while this one is converted.
bool ShardArray::convert(std::span<const std::byte> bytes, std::span<float> out,
                         std::span<const std::byte> next) const {
  if (type_ == h5::Type::kFloat16) {
    return half_to_float(halves(bytes), out,
                         next.size() == bytes.size() ? halves(next) : halves({}));
  }
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return all_finite(out);
}

void ShardArray::refuse_not_finite(std::uint64_t first, std::uint64_t count,
                                   std::span<const float> values) const {
  for (std::uint64_t i = 0; i < count; ++i) {
    require<DataError>(all_finite(values.subspan(i * elements_, elements_)), "shard",
                       "{}: {} {} contains NaN or infinity", where_, row_, first + i);
  }
}

void ShardArray::require_written(std::uint64_t first, std::span<const std::byte> bytes) const {
  if (fill_.empty()) return;
  // Of a text some tokens may be nothing but padding.
  const bool is_text = std::string_view(row_) == "token";
  const std::uint64_t sample = is_text ? bytes.size() : sample_bytes(), value = fill_.size();
  for (std::uint64_t begin = 0; begin < bytes.size(); begin += sample) {
    const std::byte* at = bytes.data() + begin;
    // Each value is the fill value where the first is, and each other one is as the one before it.
    if (std::memcmp(at, fill_.data(), value) != 0 ||
        std::memcmp(at, at + value, sample - value) != 0) {
      continue;
    }
    require_kept();
    fail<DataError>("shard", "{}: {} {} was never written: it holds the fill value only", where_,
                    row_, first + begin / sample);
  }
}

void ShardArray::verify_block(std::uint64_t block, std::vector<std::byte>& scratch) const {
  const std::uint64_t first = block * block_;
  const std::uint64_t count = std::min(block_, samples_ - first);
  const auto bytes = stored(first, count, scratch);
  const std::uint64_t sum = checksum(bytes);
  bytes_->require_mapping_kept();
  if (sum != checksums_[block]) {
    require_kept();
    // The more helpful message where it applies.
    std::vector<float> values(is_floating() ? count * elements_ : 0);
    if (is_floating() && !convert(bytes, values)) refuse_not_finite(first, count, values);
    fail<DataError>("shard", "{}: {}s {} to {}: checksum {}, {} was written", where_, row_, first,
                    first + count - 1, checksum_text(sum), checksum_text(checksums_[block]));
  }
  verified_[block].store(true, std::memory_order_relaxed);
}

void ShardArray::verify() const {
  std::vector<std::byte> scratch;
  for (std::uint64_t block = 0; block < checksums_.size(); ++block) verify_block(block, scratch);
}

std::span<const std::byte> ShardArray::mapped(std::uint64_t sample) const {
  if (set_ || !bytes_->is_mapped()) return {};
  return bytes_->mapped(offset_ + sample * sample_bytes(), sample_bytes());
}

double ShardArray::decoded_samples() const { return decoded_ > 0 ? set_->decoded_rows() : 1; }

std::uint64_t ShardArray::decoded_bytes() const {
  return decoded_ > 0 ? samples_ * sample_bytes() : 0;
}

std::vector<std::filesystem::path> ShardArray::other_files() const {
  return set_ ? set_->other_files() : std::vector<std::filesystem::path>{};
}

void ShardArray::require_kept() const {
  bytes_->require_kept();
  if (set_) set_->require_kept();
}

}  // namespace edt::data
