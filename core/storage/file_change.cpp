#include "core/storage/file_change.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "core/base/error.h"
#include "core/storage/checksum.h"
#include "core/storage/durable_file.h"
#include "core/storage/input_file.h"

namespace edt {

namespace {

namespace fs = std::filesystem;

// Words, then pieces as offset, size, bytes; last a checksum of all before it.
constexpr std::string_view kRecordMagic = "EDTCHNG1";

std::string word(std::uint64_t value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

std::string serialize(const FileChange& change) {
  std::string text(kRecordMagic);
  text += word(change.old_size) + word(change.new_size) + word(change.pieces.size());
  for (const auto& [offset, bytes] : change.pieces) {
    text += word(offset) + word(bytes.size());
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  return text + word(checksum_of(std::span<const char>(text)));
}

FileChange parse(const std::string& text, const std::string& label) {
  std::size_t at = kRecordMagic.size();
  const auto take = [&](std::size_t size) {
    require<DataError>(size <= text.size() - at, "file", "{}: is damaged", label);
    at += size;
    return std::string_view(text).substr(at - size, size);
  };
  const auto number = [&] {
    std::uint64_t value = 0;
    std::memcpy(&value, take(sizeof(value)).data(), sizeof(value));
    return value;
  };
  require<DataError>(text.starts_with(kRecordMagic) && text.size() >= kRecordMagic.size() + 8,
                     "file", "{}: is damaged", label);
  const auto body = std::span<const char>(text).first(text.size() - 8);
  std::uint64_t sum = 0;
  std::memcpy(&sum, text.data() + body.size(), sizeof(sum));
  require<DataError>(sum == checksum_of(body), "file", "{}: is damaged", label);
  FileChange change;
  change.old_size = number();
  change.new_size = number();
  for (std::uint64_t left = number(); left > 0; --left) {
    const std::uint64_t offset = number();
    const std::string_view bytes = take(number());
    const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
    change.pieces.emplace(offset, std::vector<std::byte>(begin, begin + bytes.size()));
  }
  return change;
}

class OutputFile {
 public:
  explicit OutputFile(const fs::path& path)
      : path_(path), descriptor_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    if (descriptor_ < 0) fail_errno("open", path);
  }
  ~OutputFile() { ::close(descriptor_); }
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::uint64_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t done =
          ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) fail_errno("write", path_);
      bytes = bytes.subspan(static_cast<std::size_t>(done));
      offset += static_cast<std::uint64_t>(done);
    }
  }
  // All of its bytes exist afterwards, so that writing them cannot fill the disk.
  void resize(std::uint64_t size) {
    const int code = ::posix_fallocate(descriptor_, 0, static_cast<off_t>(size));
    errno = code;
    if (code != 0 && code != EOPNOTSUPP && code != EINVAL) fail_errno("enlarge", path_);
    if (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0) fail_errno("resize", path_);
  }
  void sync() {
    if (::fsync(descriptor_) != 0) fail_errno("sync", path_);
  }

 private:
  fs::path path_;
  int descriptor_;
};

void apply(const fs::path& path, const FileChange& change) {
  OutputFile file(path);
  if (change.new_size != change.old_size) file.resize(change.new_size);
  for (const auto& [offset, bytes] : change.pieces) file.write(offset, bytes);
  file.sync();
  fs::remove(change_path(path));
  sync_directory(path.has_parent_path() ? path.parent_path() : ".");
}

}  // namespace

fs::path change_path(const fs::path& path) {
  return path.parent_path() / fmt::format(".{}.change", path.filename().string());
}

void change_file(const fs::path& path, const FileChange& change) {
  const OutputFile refuses_clearly_before_anything_is_written{path};
  DurableFile record(change_path(path));
  record.write(serialize(change));
  record.commit();
  apply(path, change);
}

bool finish_change(const fs::path& path) {
  const fs::path record = change_path(path);
  if (!fs::exists(record)) return false;
  const FileChange change = parse(read_text(record), record.string());
  const std::uint64_t size = InputFile(path).size();
  require<DataError>(size >= std::min(change.old_size, change.new_size) &&
                         size <= std::max(change.old_size, change.new_size),
                     "file", "{}: has {} bytes, the change in {} is of one of {}", path.string(),
                     size, record.string(), change.old_size);
  apply(path, change);
  return true;
}

}  // namespace edt
