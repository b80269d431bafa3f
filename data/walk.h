// The files of a folder and of the folders in it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace edt::data {

// Of a file or folder: hidden, or put there by a system, not by a person (thumbnails of a NAS, what
// macOS packs beside each file, what fsck has found): passed over wherever data are looked for.
bool is_passed_over(std::string_view name);
// The same of a path within a folder or an archive, for any part of it.
bool is_below_passed_over(std::string_view path);
// Of a file that a download or a copy has not finished: "a.tar.part".
bool is_unfinished(std::string_view name);

// Those among the files that are looked at, to be said once.
class UnfinishedFiles {
 public:
  void look_at(const std::string& name);
  void warn(const std::string& where) const;

 private:
  std::string first_;
  std::uint64_t count_ = 0;
};

// Files that are not taken, by their extensions: "8 .pt, 1 without extension"; empty: none.
class OtherFiles {
 public:
  void add(const std::filesystem::path& name);
  std::string text() const;

 private:
  std::map<std::string, std::uint64_t> counts_;
};

// Whether `inner` is `outer` or below it, by whatever links. Neither need be there.
bool lies_in(const std::filesystem::path& inner, const std::filesystem::path& outer);

// Where two of `names` are one folder by a link, so that its files would be there twice: DataError
// that names both, said by `where`.
void require_different_folders(const std::filesystem::path& folder,
                               const std::vector<std::string>& names, std::string_view where);

// Calls `visit` with the path of each regular file and with its name below `folder` ("a/b.npy"), in
// any order. Links are followed; what is_passed_over() is passed over. DataError where a folder
// cannot be listed, or lies more than 16 deep, as behind a link to a folder around it, and for what
// is neither file nor folder.
void walk_files(const std::filesystem::path& folder,
                const std::function<void(const std::filesystem::path&, const std::string&)>& visit);

// Names of the folders in it, sorted; what is_passed_over() is passed over. DataError where it
// cannot be listed, said by `where`.
std::vector<std::string> folders_in(const std::filesystem::path& folder, std::string_view where);

}  // namespace edt::data
