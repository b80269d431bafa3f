#include "launcher/help/man_page.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "launcher/help/command_options.h"

namespace edt {
namespace {

// Text as it is: no escape, no request at the begin of a line, dashes that can be copied; a line
// may end behind each of several choices.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (out.empty() && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '\'') {
      out += "\\(aq";
    } else if (c == '`') {
      out += "\\(ga";
    } else if (c == '^') {
      out += "\\(ha";
    } else if (c == '~') {
      out += "\\(ti";
    } else if (c == '"') {
      out += "\\(dq";
    } else {
      out += c;
      if (c == '|') out += "\\:";
    }
  }
  return out;
}

std::string heading(std::string name, std::string_view version) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::toupper(c); });
  // Left-aligned, as lists of choices have no blanks to widen.
  return fmt::format(".TH \"{}\" 1 \"\" \"edt {}\" \"edt\"\n.ad l\n", roff(name), roff(version));
}

std::string name_and_summary(std::string_view name, std::string_view summary) {
  return fmt::format(".SH NAME\n{} \\- {}\n", roff(name), roff(summary));
}

std::string option(const OptionDescription& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.spellings)
    names.push_back("\\fB" + roff("--" + name) + "\\fR");
  return fmt::format(".TP\n{} \\fI{}\\fR\n{}\n", fmt::join(names, ", "), roff(option.value),
                     roff(option.text()));
}

constexpr std::string_view kStatus =
    ".SH EXIT STATUS\n"
    ".TP\n0\ndone\n"
    ".TP\n1\nfailed, or something was found that a command looks for\n"
    ".TP\n2\nwrong usage or input; nothing was started\n"
    ".TP\n3\nstopped on request, after saving: start again to go on\n"
    ".TP\n4\nstopped by the file\n.I stop\nin the run directory, after saving\n"
    ".TP\n5\nbroken off, as a rank was lost or stalls or the disk is full: start again to go on\n";

}  // namespace

std::string man_page_name(std::string_view command) {
  std::string name = command.empty() ? "edt" : "edt-" + std::string(command);
  std::ranges::replace(name, ' ', '-');
  return name;
}

std::string man_page(std::span<const Command> commands, std::string_view version) {
  std::string page =
      heading("edt", version) +
      name_and_summary("edt", "trains and samples efficient diffusion transformers") +
      ".SH SYNOPSIS\n.B edt\n.I COMMAND\n[options]\n.SH COMMANDS\n";
  for (const Command& command : commands) {
    page += fmt::format(".TP\n.BR {} (1)\n{}\n", roff(man_page_name(command.name)),
                        roff(command.summary));
  }
  page +=
      ".SH OPTIONS\n"
      "Every option has a name with a section, as in INI files, and is also known without the "
      "section\n"
      "where only one option of the command is meant:\n"
      ".B \\-\\-train.steps=10\nand\n.B \\-\\-steps 10\n"
      "are the same. Options are not abbreviated. The command line wins over files given by\n"
      ".BR \\-\\-config ,\nlater files over earlier ones.\n"
      ".TP\n.B \\-\\-version\nwhat the program was built from\n"
      ".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nlists the commands; of a command, its options\n";
  return page + std::string(kStatus);
}

std::string man_page(const Command& command, std::string_view version) {
  const CommandDescription description = describe(command);
  const std::string name = man_page_name(command.name);
  std::string page = heading(name, version) + name_and_summary(name, command.summary) +
                     fmt::format(".SH SYNOPSIS\n.B {}\n.SH DESCRIPTION\n{}\n",
                                 roff(description.usage()), roff(description.summary));
  page += ".SH OPTIONS\n";
  for (const OptionSection& section : description.sections) {
    if (description.sections.size() > 1) page += fmt::format(".SS \"{}\"\n", roff(section.title));
    for (const OptionDescription& each : section.options) page += option(each);
  }
  page += ".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nthis text, shorter\n";
  return page + std::string(kStatus) + ".SH SEE ALSO\n.BR edt (1)\n";
}

}  // namespace edt
