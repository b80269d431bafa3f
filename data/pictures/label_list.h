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

// In the order of the lines; empty ones are passed over. DataError naming file and line.
void for_each_label(const std::filesystem::path& file,
                    const std::function<void(const std::string& name, std::int32_t label)>& visit);

}  // namespace edt::data
