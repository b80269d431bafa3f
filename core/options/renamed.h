// Options that had another name in an earlier version. The old names go on working, on the command
// line and in INI files (a run's own configuration, the text in a checkpoint), and say what they
// are called now. docs/compatibility.md shows the table.
#pragma once

#include <span>
#include <string_view>

namespace edt {

struct RenamedOption {
  std::string_view command;  // "bench ops"; "": of all that have the option, as sections are shared
  std::string_view old_name, name;
  std::string_view since;  // version
};

std::span<const RenamedOption> renamed_options();

// The present name of an option of `command`, where `name` is a former one; else "".
std::string_view present_name(std::string_view command, std::string_view name);

}  // namespace edt
