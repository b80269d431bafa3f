#include "data/pictures/tar.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <memory>
#include <vector>

#include "core/base/error.h"

namespace edt::data {

namespace {

constexpr int kDeepest = 4;  // archives within archives
constexpr std::uint64_t kMostContent = 1 << 16;

// A stretch of an archive as libarchive reads it.
struct Stretch {
  Archive& archive;
  std::uint64_t position, end;
  std::vector<std::byte> piece = std::vector<std::byte>(1 << 16);
  std::size_t filled = 0;  // of the piece, which ends at `position`
  std::exception_ptr error = nullptr;
};

la_ssize_t read_piece(archive* tar, void* data, const void** out) {
  Stretch& stretch = *static_cast<Stretch*>(data);
  try {
    const std::uint64_t left = stretch.end - std::min(stretch.position, stretch.end);
    const auto room =
        std::span(stretch.piece).first(std::min<std::uint64_t>(stretch.piece.size(), left));
    const std::size_t bytes = room.empty() ? 0 : stretch.archive.read_some(stretch.position, room);
    stretch.position += bytes;
    stretch.filled = bytes;
    *out = stretch.piece.data();
    return static_cast<la_ssize_t>(bytes);
  } catch (const Error& error) {  // libarchive is C
    stretch.error = std::current_exception();
    if (tar != nullptr) archive_set_error(tar, EIO, "%s", error.what());
    return ARCHIVE_FATAL;
  }
}

la_int64_t skip_bytes(archive*, void* data, la_int64_t bytes) {
  Stretch& stretch = *static_cast<Stretch*>(data);
  const std::uint64_t left = stretch.end - std::min(stretch.position, stretch.end);
  const auto count =
      std::min<std::uint64_t>(static_cast<std::uint64_t>(std::max<la_int64_t>(bytes, 0)), left);
  stretch.position += count;
  stretch.filled = 0;
  return static_cast<la_int64_t>(count);
}

class TarReader {
 public:
  TarReader(Archive& archive, const VisitMember& visit) : archive_(archive), visit_(visit) {}

  // Members of the tar that lies in [begin, end).
  void read(std::uint64_t begin, std::uint64_t end, const std::string& prefix, int depth) {
    require<DataError>(depth <= kDeepest, "pictures", "{}: more than {} archives within each other",
                       where(prefix), kDeepest);
    const std::unique_ptr<archive, int (*)(archive*)> tar(archive_read_new(), archive_read_free);
    Stretch stretch{archive_, begin, end};
    archive_read_support_format_tar(tar.get());
    archive_read_support_format_empty(tar.get());
    archive_read_set_read_callback(tar.get(), read_piece);
    // What has to be unpacked is read, so that an archive that was cut off is noticed.
    if (archive_.any_order()) archive_read_set_skip_callback(tar.get(), skip_bytes);
    archive_read_set_callback_data(tar.get(), &stretch);
    if (archive_read_open1(tar.get()) != ARCHIVE_OK) refuse(tar.get(), stretch, prefix);
    while (true) {
      archive_entry* entry = nullptr;
      const int status = archive_read_next_header(tar.get(), &entry);
      const auto consumed = begin + static_cast<std::uint64_t>(archive_filter_bytes(tar.get(), 0));
      if (status == ARCHIVE_EOF) return require_end(stretch, consumed, prefix);
      if (status != ARCHIVE_OK && status != ARCHIVE_WARN) refuse(tar.get(), stretch, prefix);
      if (const std::string to = link_of(entry); !to.empty()) {
        visit_({.name = prefix + name_of(entry), .link = to}, [] { return std::string(); });
        continue;
      }
      if (archive_entry_filetype(entry) != AE_IFREG) continue;
      // All that comes before the content has been consumed, and nothing of it.
      const auto at = begin + static_cast<std::uint64_t>(archive_filter_bytes(tar.get(), 0));
      member(tar.get(), entry, at, end, prefix, depth);
    }
  }

 private:
  // Archives that are joined (cat a.tar b.tar) have an end in the middle, and readers stop there.
  // `consumed`: what libarchive has read.
  void require_end(Stretch& stretch, std::uint64_t consumed, const std::string& prefix) {
    const std::size_t unread = std::min<std::uint64_t>(
        stretch.position - std::min(consumed, stretch.position), stretch.filled);
    auto rest = std::span<const std::byte>(stretch.piece).first(stretch.filled).last(unread);
    while (true) {
      const bool is_padding =
          std::ranges::all_of(rest, [](std::byte b) { return b == std::byte{}; });
      require<DataError>(
          is_padding, "pictures",
          "{}: goes on behind the end of the archive, where nobody reads (joined with "
          "cat?): give its archives one by one",
          where(prefix));
      const void* next = nullptr;
      const la_ssize_t bytes = read_piece(nullptr, &stretch, &next);
      if (bytes <= 0) break;
      rest = std::span<const std::byte>(stretch.piece).first(static_cast<std::size_t>(bytes));
    }
    if (stretch.error) std::rethrow_exception(stretch.error);
  }

  void member(archive* tar, archive_entry* entry, std::uint64_t at, std::uint64_t end,
              const std::string& prefix, int depth) {
    TarMember found{prefix + name_of(entry), at,
                    static_cast<std::uint64_t>(std::max<la_int64_t>(archive_entry_size(entry), 0))};
    require<DataError>(archive_entry_sparse_count(entry) == 0, "pictures",
                       "{}: is stored with holes, which is not read", where(found.name));
    require<DataError>(found.bytes <= end - std::min(at, end), "pictures",
                       "{}: cut off: {} bytes are announced, {} are left", where(found.name),
                       found.bytes, end - std::min(at, end));
    if (found.name.ends_with(".tar")) {
      const std::string inner = found.name.substr(0, found.name.size() - 4) + "/";
      return read(found.offset, found.offset + found.bytes, inner, depth + 1);
    }
    visit_(found, [&] {
      std::string content(std::min(found.bytes, kMostContent), '\0');
      const la_ssize_t bytes = archive_read_data(tar, content.data(), content.size());
      require<DataError>(bytes == static_cast<la_ssize_t>(content.size()), "pictures",
                         "{}: cut off", where(found.name));
      return content;
    });
  }

  // As it stands in the archive; libarchive gives only one of the two where it cannot convert.
  static std::string name_of(archive_entry* entry) {
    const char* name = archive_entry_pathname(entry);
    if (name == nullptr) name = archive_entry_pathname_utf8(entry);
    std::string text = name != nullptr ? name : "";
    if (text.starts_with("./")) text.erase(0, 2);
    return text;
  }

  // Empty: it is none.
  static std::string link_of(archive_entry* entry) {
    const char* to = archive_entry_hardlink(entry);
    if (to == nullptr) to = archive_entry_symlink(entry);
    return to != nullptr ? to : "";
  }

  std::string where(const std::string& name) const {
    return archive_.path().string() + (name.empty() ? "" : ":" + name);
  }

  [[noreturn]] void refuse(archive* tar, const Stretch& stretch, const std::string& prefix) const {
    if (stretch.error) std::rethrow_exception(stretch.error);
    const char* reason = archive_error_string(tar);
    fail<DataError>("pictures", "{}: is no whole tar archive: {}", where(prefix),
                    reason != nullptr ? reason : "damaged");
  }

  Archive& archive_;
  const VisitMember& visit_;
};

}  // namespace

void for_each_tar_member(Archive& archive, const VisitMember& visit) {
  TarReader(archive, visit).read(0, archive.most_bytes(), "", 0);
}

}  // namespace edt::data
