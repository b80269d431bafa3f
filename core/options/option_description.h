// What a command can be told, as data: --help, man pages and shell completion are made of it.
#pragma once

#include <string>
#include <vector>

namespace edt {

struct OptionDescription {
  std::vector<std::string> spellings;  // without dashes; the first is its name
  std::string value;                   // what stands for it: "INT", "on|off"
  std::vector<std::string> choices;    // all values it can have, where they are named
  std::string help;
  std::vector<std::string> facts;  // "required", "in pixels", "from 1 to 8", "default 4", ...
  std::string positional;          // "[DATA]", "RUNS...": as it may stand without its name
  bool is_flag = false;            // may stand alone, which means "on"
  bool is_path = false;

  // "how long (in s; default 3)"
  std::string text() const;
};

struct OptionSection {
  std::string title;
  std::vector<OptionDescription> options;
};

struct CommandDescription {
  std::string command, summary;
  std::vector<OptionSection> sections;  // options of no section last

  // "edt data info [options] DATA"
  std::string usage() const;
};

// Usage, then a block for each section, at most 100 columns wide.
std::string help_text(const CommandDescription& command);

}  // namespace edt
