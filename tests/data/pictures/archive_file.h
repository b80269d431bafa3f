// Tar archives written for tests, and small files.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace edt::test {

class ArchiveFile {
 public:
  // `format`: "ustar", "gnutar", "pax", "v7tar"; `filter`: "gzip", "zstd", "xz" or "".
  ArchiveFile(const std::filesystem::path& path, const std::string& format,
              const std::string& filter)
      : archive_(archive_write_new()) {
    check(archive_write_set_format_by_name(archive_, format.c_str()));
    if (!filter.empty()) check(archive_write_add_filter_by_name(archive_, filter.c_str()));
    check(archive_write_open_filename(archive_, path.c_str()));
  }
  ~ArchiveFile() { archive_write_free(archive_); }
  ArchiveFile(const ArchiveFile&) = delete;
  ArchiveFile& operator=(const ArchiveFile&) = delete;

  void add(const std::string& name, const std::string& content) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    check(archive_write_header(archive_, entry));
    archive_write_data(archive_, content.data(), content.size());
    archive_entry_free(entry);
  }
  // Another name of a member that went before.
  void add_link(const std::string& name, const std::string& to) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_hardlink(entry, to.c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    check(archive_write_header(archive_, entry));
    archive_entry_free(entry);
  }
  // `content` behind a hole of as many bytes.
  void add_sparse(const std::string& name, const std::string& content) {
    const auto bytes = static_cast<la_int64_t>(content.size());
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, 2 * bytes);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_sparse_add_entry(entry, bytes, bytes);
    check(archive_write_header(archive_, entry));
    const std::string whole = std::string(content.size(), '\0') + content;
    archive_write_data(archive_, whole.data(), whole.size());
    archive_entry_free(entry);
  }
  void close() { check(archive_write_close(archive_)); }

 private:
  void check(int status) {
    if (status != ARCHIVE_OK) throw std::runtime_error(archive_error_string(archive_));
  }

  archive* archive_;
};

inline std::string read_whole(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_whole(const std::filesystem::path& path, const std::string& content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

}  // namespace edt::test
