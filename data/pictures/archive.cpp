#include "data/pictures/archive.h"

#include <archive.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/storage/access.h"
#include "core/storage/file_kind.h"
#include "core/storage/input_file.h"

namespace edt::data {

namespace {

namespace fs = std::filesystem;

class PlainArchive : public Archive {
 public:
  explicit PlainArchive(const fs::path& path) : Archive(path), file_(path) {}
  std::size_t read_some(std::uint64_t offset, std::span<std::byte> out) override {
    const std::uint64_t left = file_.size() - std::min(offset, file_.size());
    const auto bytes = out.first(std::min<std::uint64_t>(out.size(), left));
    if (!bytes.empty()) file_.read(offset, bytes);
    return bytes.size();
  }
  std::uint64_t most_bytes() const override { return file_.size(); }
  bool any_order() const override { return true; }

 private:
  InputFile file_;
};

// A stream, of which the last bytes are kept: who lists a tar within a tar goes back a little.
class PackedArchive : public Archive {
 public:
  explicit PackedArchive(const fs::path& path) : Archive(path) { begin(); }

  std::size_t read_some(std::uint64_t offset, std::span<std::byte> out) override {
    out =
        out.first(std::min(out.size(), kKept));  // more might not be kept until all of it is there
    if (offset < start_) begin();
    while (offset + out.size() > end() && advance()) {
    }
    if (offset >= end()) return 0;
    EDT_ASSERT(offset >= start_);
    const std::size_t from = offset - start_, count = std::min(out.size(), kept_.size() - from);
    std::memcpy(out.data(), kept_.data() + from, count);
    return count;
  }
  std::uint64_t most_bytes() const override { return std::uint64_t{1} << 62; }
  bool any_order() const override { return false; }

 private:
  static constexpr std::size_t kKept = 1 << 20, kStep = 1 << 16;

  std::uint64_t end() const { return start_ + kept_.size(); }

  void begin() {
    stream_.reset(archive_read_new());
    start_ = 0;
    kept_.clear();
    archive_read_support_filter_gzip(stream_.get());
    archive_read_support_filter_zstd(stream_.get());
    archive_read_support_filter_xz(stream_.get());
    archive_read_support_format_raw(stream_.get());
    archive_entry* entry = nullptr;
    if (archive_read_open_filename(stream_.get(), path().c_str(), kStep) != ARCHIVE_OK ||
        archive_read_next_header(stream_.get(), &entry) != ARCHIVE_OK) {
      fail_reading();
    }
  }

  // False at the end of the stream.
  bool advance() {
    std::vector<std::byte> piece(kStep);
    const la_ssize_t bytes = archive_read_data(stream_.get(), piece.data(), piece.size());
    if (bytes < 0) fail_reading();
    if (kept_.size() > 2 * kKept) {
      const auto dropped = static_cast<std::ptrdiff_t>(kept_.size() - kKept);
      kept_.erase(kept_.begin(), kept_.begin() + dropped);
      start_ += static_cast<std::uint64_t>(dropped);
    }
    kept_.insert(kept_.end(), piece.begin(), piece.begin() + bytes);
    return bytes > 0;
  }

  [[noreturn]] void fail_reading() {
    const char* reason = archive_error_string(stream_.get());
    // Only where the file could not be opened or read is the number one of the operating system.
    fail_for<DataError>(archive_errno(stream_.get()), "pictures", "{}: cannot be unpacked: {}",
                        path().string(), reason != nullptr ? reason : "damaged");
  }

  std::unique_ptr<archive, int (*)(archive*)> stream_{nullptr, archive_read_free};
  std::uint64_t start_ = 0;  // of the bytes that are kept
  std::vector<std::byte> kept_;
};

}  // namespace

std::unique_ptr<Archive> Archive::open(const fs::path& path) {
  const FileKind kind = kind_of_file(path);
  const bool is_packed =
      kind == FileKind::kGzip || kind == FileKind::kZstd || kind == FileKind::kXz;
  // The oldest archives have no signature, and begin with any name.
  const bool may_be_tar =
      kind == FileKind::kTar || kind == FileKind::kUnknown || kind == FileKind::kJson;
  require<DataError>(may_be_tar || is_packed, "pictures",
                     "{}: is {}, a tar archive of pictures is needed", path.string(),
                     described(kind));
  if (is_packed) return std::make_unique<PackedArchive>(path);
  return std::make_unique<PlainArchive>(path);
}

void Archive::read(std::uint64_t offset, std::span<std::byte> out) {
  for (std::size_t done = 0; done < out.size();) {
    const std::size_t bytes = read_some(offset + done, out.subspan(done));
    require<DataError>(bytes > 0, "pictures", "{}: ends at byte {}, {} are needed", path_.string(),
                       offset + done, offset + out.size());
    done += bytes;
  }
}

}  // namespace edt::data
