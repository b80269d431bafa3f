#include "data/array_writer.h"

#include <algorithm>

#include "core/storage/checksum.h"

namespace edt::data {

std::uint64_t block_samples(std::uint64_t sample_bytes) {
  constexpr std::uint64_t kBlockBytes = 256 << 10;
  return std::max<std::uint64_t>(1, kBlockBytes / sample_bytes);
}

ArrayWriter::ArrayWriter(h5::File& file, std::string name, h5::Type type, const h5::Shape& shape,
                         std::uint64_t block)
    : name_(std::move(name)),
      type_(type),
      set_(file.create_dataset(name_, type, shape)),
      sample_bytes_(set_.row_elements() * h5::size_of(type)),
      block_(block) {}

void ArrayWriter::append(std::span<const std::byte> samples) {
  while (!samples.empty()) {
    const std::uint64_t room = block_ * sample_bytes_ - waiting_.size();
    const auto piece = samples.first(std::min<std::uint64_t>(room, samples.size()));
    waiting_.insert(waiting_.end(), piece.begin(), piece.end());
    samples = samples.subspan(piece.size());
    if (piece.size() == room) flush();
  }
}

void ArrayWriter::flush() {
  if (waiting_.empty()) return;
  const std::uint64_t count = waiting_.size() / sample_bytes_;
  checksums_.push_back(checksum(waiting_));
  set_.write_rows(written_, count, type_, waiting_.data());
  written_ += count;
  waiting_.clear();
}

ByteRange ArrayWriter::finish(h5::File& file, bool with_block) {
  flush();
  h5::DataSet sums =
      file.create_dataset("checksums/" + name_, h5::Type::kUInt64, {checksums_.size()});
  sums.write(h5::Type::kUInt64, checksums_.data());
  if (with_block) sums.write_attribute("checksum_block", static_cast<std::int64_t>(block_));
  return {set_.raw_offset().value(), written_ * sample_bytes_};
}

}  // namespace edt::data
