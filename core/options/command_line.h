// Splits a command line into options and positional arguments (Boost.Program_options underneath).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace edt {

struct CommandLineName {
  std::string name;
  bool is_flag = false;  // may stand alone, which means "on"
};

struct CommandLineArgument {
  std::string name;  // empty: positional
  std::string value;
  bool known = true;
};

// `where` names the command in messages. Throws UsageError for an option without its value.
// Options that `names` lacks come back with known = false.
std::vector<CommandLineArgument> split_command_line(std::string_view where,
                                                    std::span<const std::string> args,
                                                    std::span<const CommandLineName> names);

}  // namespace edt
