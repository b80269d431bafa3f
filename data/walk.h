// The files of a folder and of the folders in it.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace edt::data {

// Calls `visit` with the path of each regular file and with its name below `folder` ("a/b.npy"), in
// any order. Links are followed; hidden files and folders are passed over. DataError where a folder
// cannot be listed, or lies more than 16 deep, as behind a link to a folder around it.
void walk_files(const std::filesystem::path& folder,
                const std::function<void(const std::filesystem::path&, const std::string&)>& visit);

// Names of the folders in it, sorted; hidden ones are passed over. DataError where it cannot be
// listed, said by `where`.
std::vector<std::string> folders_in(const std::filesystem::path& folder, std::string_view where);

}  // namespace edt::data
