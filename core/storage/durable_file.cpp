#include "core/storage/durable_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <system_error>
#include <utility>

#include "core/base/error.h"
#include "core/storage/access.h"
#include "core/storage/open_to_read.h"

namespace edt {

namespace fs = std::filesystem;

void fail_errno(std::string_view action, const fs::path& path) {
  const int code = errno;
  fail_for<SystemError>(code, "file", "cannot {} {}: {}", action, path.string(),
                        error_text(code, path));
}

fs::path partial_path(const fs::path& path) {
  return path.parent_path() / fmt::format(".{}.partial", path.filename().string());
}

namespace {

fs::path directory_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

// A rename would put a file in the place of a device or a pipe, and of a link what it names.
void refuse_special(const fs::path& path) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  require<SystemError>(!fs::is_other(status), "file", "{} is no regular file", path.string());
}

// Makes and removes an empty file: permissions alone do not tell whether that is possible.
// A signal that ends the program meanwhile waits, or the file would stay.
void require_place(const fs::path& file, std::string_view option, const fs::path& asked) {
  const SignalDelay until_it_is_removed;
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  const int code = errno;
  if (descriptor < 0 && code != EEXIST) {
    fail_for<UsageError>(code, "file", "{} {}: {} takes no files: {}", option, asked.string(),
                         directory_of(file).string(), error_text(code, file));
  }
  if (descriptor < 0) return;
  ::close(descriptor);
  ::unlink(file.c_str());
}

void sync_opened(const fs::path& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC);
  if (descriptor < 0) fail_errno("open", path);
  const int status = ::fsync(descriptor);
  const int code = errno;
  ::close(descriptor);
  errno = code;
  // Some file systems cannot sync a directory; their renames are ordered anyway.
  if (status != 0 && !((flags & O_DIRECTORY) && code == EINVAL)) fail_errno("sync", path);
}

// Formats that people and programs know by their names.
constexpr std::string_view kFormats =
    " .png .jpg .jpeg .gif .webp .bmp .tif .tiff .svg .pdf .npy .npz .h5 .hdf5 .safetensors .pt "
    ".pth "
    ".ckpt .bin .pkl .zip .tar .json .jsonl .csv .tsv .html .htm .ini .txt .yaml .md ";

}  // namespace

fs::path final_path(const fs::path& path) {
  constexpr int kMostLinks = 40;  // as many as Linux follows
  refuse_special(path);
  fs::path target = path;
  std::error_code code;
  for (int links = 0; fs::is_symlink(target, code); ++links) {
    require<SystemError>(links < kMostLinks, "file", "{}: more than {} links follow each other",
                         path.string(), kMostLinks);
    const fs::path next = fs::read_symlink(target, code);
    if (code)
      fail<SystemError>("file", "cannot read the link {}: {}", target.string(), code.message());
    target = next.is_absolute() ? next : target.parent_path() / next;
  }
  return target;
}

DurableFile::DurableFile(const fs::path& path) : file_(path) {
  // It is there: one that a signal has removed does not come back.
  descriptor_ = ::open(file_.partial().c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  if (descriptor_ < 0) fail_errno("create", file_.partial());
}

DurableFile::~DurableFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void DurableFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(descriptor_, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail_errno("write", path());
    bytes = bytes.subspan(static_cast<std::size_t>(done));
    written_ += static_cast<std::uint64_t>(done);
  }
}

void DurableFile::commit() {
  if (::fsync(descriptor_) != 0) fail_errno("sync", path());
  if (::close(std::exchange(descriptor_, -1)) != 0) fail_errno("close", path());
  file_.take_name();
}

void write_text_atomically(const fs::path& path, std::string_view text) {
  DurableFile file(path);
  file.write(text);
  file.commit();
}

std::string read_text(const fs::path& path, std::uint64_t limit) {
  const int descriptor = open_to_read(path);
  std::string text;
  char buffer[1 << 16];
  ssize_t done = 0;
  while ((done = ::read(descriptor, buffer, sizeof(buffer))) != 0 && text.size() <= limit) {
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) break;
    text.append(buffer, static_cast<std::size_t>(done));
  }
  const int code = errno;
  ::close(descriptor);
  require<DataError>(done >= 0 || code != EISDIR, "file", "{} is a directory", path.string());
  errno = code;
  if (done < 0) fail_errno("read", path);
  require<DataError>(text.size() <= limit, "file", "{} is larger than {} bytes", path.string(),
                     limit);
  return text;
}

std::string text_if_there(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return "";
  try {
    return read_text(path);
  } catch (const Error&) {
    return "";
  }
}

void sync_file(const fs::path& path) { sync_opened(path, O_RDONLY); }

void sync_directory(const fs::path& directory) { sync_opened(directory, O_RDONLY | O_DIRECTORY); }

void rename_durably(const fs::path& from, const fs::path& to) {
  refuse_special(to);
  if (::rename(from.c_str(), to.c_str()) != 0) fail_errno("rename to", to);
  sync_directory(directory_of(to));
}

std::uint64_t free_bytes(const fs::path& directory) {
  struct statvfs info {};
  if (::statvfs(directory.c_str(), &info) != 0) fail_errno("ask for the free space of", directory);
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

void require_free_space(const fs::path& directory, std::uint64_t bytes, std::string_view what) {
  const std::uint64_t available = free_bytes(directory);
  require<DiskError>(available >= bytes, "file", "{} in {} needs {} bytes, {} are free", what,
                     directory.string(), bytes, available);
}

std::string lower_case_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return std::tolower(c); });
  return extension;
}

void require_name_of(std::string_view extensions, const fs::path& path, std::string_view option) {
  const std::string named = fmt::format(" {} ", lower_case_extension(path));
  const bool other = kFormats.find(named) != kFormats.npos &&
                     fmt::format(" {} ", extensions).find(named) == std::string::npos;
  require<UsageError>(!other, "file", "{} {}: what is written there is {}", option, path.string(),
                      extensions);
}

void require_writable(const fs::path& path, std::string_view option, std::string_view extensions) {
  if (path.empty()) return;
  require<UsageError>(path != "-", "file", "{} -: a file needs a name (./- is one)", option);
  if (!extensions.empty()) require_name_of(extensions, path, option);
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  require<UsageError>(!fs::is_directory(status), "file", "{} {}: is a directory", option,
                      path.string());
  require<UsageError>(!fs::is_other(status), "file", "{} {}: is no regular file", option,
                      path.string());
  require<UsageError>(code != std::errc::too_many_symbolic_link_levels, "file", "{} {}: {}", option,
                      path.string(), code.message());
  const fs::path target = final_path(path), directory = directory_of(target);
  require<UsageError>(fs::is_directory(directory, code), "file",
                      "{} {}: there is no directory {}{}", option, path.string(),
                      directory.string(), target == path ? "" : ", where the link leads");
  require_place(partial_path(target), option, path);
}

void require_directory(const fs::path& path, std::string_view option) {
  require<UsageError>(!path.empty(), "file", "{}: the directory has no name", option);
  std::error_code code;
  fs::path there = fs::absolute(path).lexically_normal();
  while (!fs::exists(there, code) && there.has_relative_path()) {
    require<UsageError>(!fs::is_symlink(there, code), "file",
                        "{} {}: {} is a link to {}, which is not there", option, path.string(),
                        there.string(), fs::read_symlink(there, code).string());
    there = there.parent_path();
  }
  require<UsageError>(fs::is_directory(there, code), "file", "{} {}: {} is not a directory", option,
                      path.string(), there.string());
  require_place(there / fmt::format(".edt-write-{}", ::getpid()), option, path);
}

void make_directories(const fs::path& directory) {
  std::error_code code;
  fs::create_directories(directory, code);
  if (!code && fs::is_directory(directory, code)) return;
  fail_for<SystemError>(code.value(), "file", "cannot create directory {}: {}", directory.string(),
                        code ? error_text(code.value(), directory) : "a file has that name");
}

}  // namespace edt
