#include <fmt/ranges.h>

#include "launcher/help/command_options.h"
#include "launcher/help/completion.h"

namespace edt {
namespace {

// For use between single quotes, with a backslash before what _arguments takes for its own.
std::string escaped(std::string_view text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (special.find(c) != special.npos) out += '\\';
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return out;
}

// What follows ":message:" in a specification of _arguments.
std::string action(const OptionDescription& option) {
  if (!option.choices.empty()) return fmt::format("({})", fmt::join(option.choices, " "));
  return option.is_path ? "_files" : "";
}

// "'(--a --b)'{--a,--b}'[help]:VALUE:(x y)'", as _arguments takes it.
std::string specification(const OptionDescription& option) {
  constexpr std::string_view kSpecial = "[]:\\";
  // A flag takes its value only behind '=', anything else there or in the next word.
  const char* equals = option.is_flag ? "=-" : "=";
  std::vector<std::string> names, with_value;
  for (const std::string& spelling : option.spellings) {
    names.push_back("--" + spelling);
    with_value.push_back("--" + spelling + equals);
  }
  const std::string list =
      with_value.size() == 1 ? with_value[0] : fmt::format("{{{}}}", fmt::join(with_value, ","));
  return fmt::format("'({})'{}'[{}]{}:{}:{}'", fmt::join(names, " "), list,
                     escaped(option.help, kSpecial), option.is_flag ? ":" : "",
                     escaped(option.value, kSpecial), action(option));
}

std::string positional(const OptionDescription& option) {
  if (option.positional.empty()) return "";
  const bool rest = option.positional.find("...") != std::string::npos;
  return fmt::format(" \\\n        '{}:{}:{}'", rest ? "*" : "", option.spellings.front(),
                     action(option));
}

std::string arguments_case(const CommandDescription& command) {
  std::string text = fmt::format(
      "    '{}')\n      _arguments '(-h --help)'{{-h,--help}}'[this text]'", command.command);
  for (const OptionSection& section : command.sections) {
    for (const OptionDescription& option : section.options) {
      text += " \\\n        " + specification(option) + positional(option);
    }
  }
  return text + " ;;\n";
}

// " 'train:train a model'": an entry of _describe.
std::string entry(std::string_view name, std::string_view summary) {
  return fmt::format(" '{}:{}'", name, escaped(summary, ""));
}

std::string entries(std::span<const Command> commands, std::string_view group) {
  std::string text;
  for (const Command& command : commands) {
    if (command_group(command.name) != group) continue;
    const auto skipped = group.empty() ? 0 : group.size() + 1;
    text += entry(command.name.substr(skipped), command.summary);
  }
  if (!group.empty()) return text;
  for (const std::string_view name : groups_of(commands)) {
    if (!is_command(commands, name)) text += entry(name, "commands");
  }
  return text;
}

}  // namespace

std::string zsh_completion(std::span<const Command> commands) {
  std::string script = fmt::format(
      "#compdef edt\n"
      "# zsh completion of edt, written by: edt help --completion zsh\n"
      "_edt() {{\n"
      "  local -a commands\n"
      "  if ((CURRENT == 2)); then\n"
      "    commands=({})\n"
      "    _describe command commands\n"
      "    return\n"
      "  fi\n"
      "  shift words\n"
      "  ((CURRENT--))\n"
      "  local command=$words[1]\n"
      "  case $command in\n",
      entries(commands, ""));
  for (const std::string_view group : groups_of(commands)) {
    if (is_command(commands, group)) {  // a word of the group, or what the command takes
      script += fmt::format(
          "    {0})\n"
          "      commands=({1})\n"
          "      if ((CURRENT == 2)); then\n"
          "        _describe '{0} command' commands\n"
          "      elif (( ${{commands[(I)$words[2]:*]}} )); then\n"
          "        shift words\n"
          "        ((CURRENT--))\n"
          "        command+=\" $words[1]\"\n"
          "      fi ;;\n",
          group, entries(commands, group));
      continue;
    }
    script += fmt::format(
        "    {})\n"
        "      if ((CURRENT == 2)); then\n"
        "        commands=({})\n"
        "        _describe '{} command' commands\n"
        "        return\n"
        "      fi\n"
        "      shift words\n"
        "      ((CURRENT--))\n"
        "      command+=\" $words[1]\" ;;\n",
        group, entries(commands, group), group);
  }
  script += "  esac\n  case $command in\n";
  for (const CommandDescription& command : describe(commands)) script += arguments_case(command);
  return script +
         "  esac\n}\n\nif [[ $funcstack[1] == _edt ]]; then _edt \"$@\"; else compdef _edt edt; "
         "fi\n";
}

}  // namespace edt
