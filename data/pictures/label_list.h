// Lists of labels: a line for each picture, its name and then a whole number, with blanks, a tab or
// a comma between them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace edt::data {

// DataError naming `where` for text that is no whole number from 0 to 2^24 - 1.
std::int32_t parse_label(std::string_view text, const std::string& where);

// In the order of the lines; empty ones are passed over. DataError naming file and line, and where
// the list is no plain file: it may be read more than once.
void for_each_label(const std::filesystem::path& file,
                    const std::function<void(const std::string& name, std::int32_t label)>& visit);

// The same for a list of the files of `folder`. DataError for one that stands twice, under whatever
// path. Of each name 8 bytes are held, as lists may be longer than memory.
void for_each_picture_of_list(
    const std::filesystem::path& file, const std::filesystem::path& folder,
    const std::function<void(const std::string& name, std::int32_t label)>& visit);

}  // namespace edt::data
