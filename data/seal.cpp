#include "data/seal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/storage/checksum.h"
#include "core/storage/durable_file.h"
#include "core/storage/file_kind.h"

namespace edt::data {

namespace {

// Little-endian words: magic, file size, checksum of the rest, number of ranges, ranges ..., and in
// the last word the checksum of the words before.
constexpr std::size_t kSealWords = kSealBytes / 8;
// Labels, latents, up to four for each array beside them, texts and captions.
constexpr std::size_t kMostRanges = 29;
static_assert(4 + 2 * kMostRanges < kSealWords);
using Words = std::array<std::uint64_t, kSealWords>;

std::uint64_t magic() {
  std::uint64_t word;
  std::memcpy(&word, "EDTSEAL1", 8);
  return word;
}

std::uint64_t words_checksum(const Words& words) {
  return checksum_of(std::span<const std::uint64_t>(words).first(kSealWords - 1));
}

// Checksum of everything after the seal and outside `ranges`, which are sorted and disjoint.
std::uint64_t rest_checksum(const InputFile& file, std::span<const ByteRange> ranges) {
  StreamingChecksum sum;
  std::vector<std::byte> buffer(1 << 16);
  const auto add = [&](std::uint64_t begin, std::uint64_t end) {
    while (begin < end) {
      const auto piece =
          std::span(buffer).first(std::min<std::uint64_t>(end - begin, buffer.size()));
      file.read(begin, piece);
      sum.add(piece);
      begin += piece.size();
    }
  };
  std::uint64_t position = kSealBytes;
  for (const ByteRange& range : ranges) {
    add(position, range.offset);
    position = range.offset + range.size;
  }
  add(position, file.size());
  return sum.value();
}

bool valid(std::span<const ByteRange> ranges, std::uint64_t file_size) {
  std::uint64_t position = kSealBytes;
  for (const ByteRange& range : ranges) {
    if (range.offset < position || range.offset > file_size ||
        range.size > file_size - range.offset) {
      return false;
    }
    position = range.offset + range.size;
  }
  return true;
}

}  // namespace

void write_seal(const std::filesystem::path& path, std::vector<ByteRange> arrays) {
  EDT_ASSERT(arrays.size() <= kMostRanges);
  std::sort(arrays.begin(), arrays.end(),
            [](const ByteRange& a, const ByteRange& b) { return a.offset < b.offset; });
  const InputFile file(path);
  EDT_ASSERT(valid(arrays, file.size()));
  Words words{};
  words[0] = magic();
  words[1] = file.size();
  words[2] = rest_checksum(file, arrays);
  words[3] = arrays.size();
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    words[4 + 2 * i] = arrays[i].offset;
    words[5 + 2 * i] = arrays[i].size;
  }
  words[kSealWords - 1] = words_checksum(words);
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) fail_errno("open", path);
  const ssize_t done = ::pwrite(descriptor, words.data(), kSealBytes, 0);
  const int code = errno;
  ::close(descriptor);
  errno = code;
  if (done != static_cast<ssize_t>(kSealBytes)) fail_errno("write", path);
}

Sealed check_seal(const InputFile& file) {
  const std::string path = file.path().string();
  Words words{};
  if (file.size() < kSealBytes) {
    refuse_other_kind(path, {{FileKind::kHdf5, FileKind::kShard, FileKind::kEmpty}}, "shard");
    fail<DataError>("shard", "{}: truncated to {} bytes", path, file.size());
  }
  file.read(0, std::as_writable_bytes(std::span(words)));
  if (std::memcmp(words.data(), "\x89HDF\r\n\x1a\n", 8) == 0) return Sealed::kNo;
  if (words[0] != magic()) {
    refuse_other_kind(path, {{FileKind::kHdf5, FileKind::kShard}}, "shard");
    fail<DataError>("shard", "{}: not a shard: no HDF5 signature and no seal", path);
  }
  require<DataError>(words[kSealWords - 1] == words_checksum(words), "shard",
                     "{}: the seal is damaged", path);
  require<DataError>(words[1] <= file.size(), "shard", "{}: truncated: {} bytes, {} were written",
                     path, file.size(), words[1]);
  require<DataError>(words[1] == file.size(), "shard", "{}: {} bytes, {} were written", path,
                     file.size(), words[1]);
  require<DataError>(words[3] <= kMostRanges, "shard", "{}: the seal is damaged", path);
  std::vector<ByteRange> ranges(words[3]);
  for (std::size_t i = 0; i < ranges.size(); ++i) ranges[i] = {words[4 + 2 * i], words[5 + 2 * i]};
  require<DataError>(valid(ranges, file.size()), "shard", "{}: the seal is damaged", path);
  const std::uint64_t sum = rest_checksum(file, ranges);
  require<DataError>(
      sum == words[2], "shard",
      "{}: headers or attributes changed since it was written: checksum {}, sealed {}", path,
      checksum_text(sum), checksum_text(words[2]));
  return Sealed::kYes;
}

}  // namespace edt::data
