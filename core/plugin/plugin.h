// Parts of the program in shared objects of their own: they need libraries that not every machine
// has, so they are loaded when they are first asked for. What they use of the program they take
// from it, so that each function and each state is there once.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace edt {

struct Plugin {
  const void* functions = nullptr;  // what its `edt_plugin` points to; nullptr: it is not there
  bool installed = false;           // there is such a file
  std::string absence;              // why it is not there, in one line
};

// The program's own folder and that of its libraries, or what EDT_PLUGINS says.
std::vector<std::filesystem::path> plugin_folders();

// Loads `file`, "libedt_NAME.so", from the first of the folders that has it. A plugin of another
// build is refused: both sides share classes. Stays loaded until the program ends.
Plugin load_plugin(const std::string& file,
                   const std::vector<std::filesystem::path>& folders = plugin_folders());

}  // namespace edt
