// INI files: [section], key = value, comments with # or ;. Values that begin with a double quote
// are read with the escapes \" \\ \n \t \r \xHH, so that every text can be written and read back.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace edt {

struct IniEntry {
  std::string key;  // section and name joined by a dot
  std::string value;
  int line = 0;
};

struct IniFile {
  std::string name;  // for messages
  std::vector<IniEntry> entries;
};

// Throws UsageError naming file and line for anything that is not INI and for duplicate keys.
IniFile parse_ini(std::string_view text, std::string name);
IniFile read_ini_file(const std::filesystem::path& path);

// `value` as it has to be written after "key = ".
std::string ini_value(std::string_view value);

// Option names are compared with '_' read as '-'.
std::string canonical_key(std::string_view key);

}  // namespace edt
