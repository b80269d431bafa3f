#include <fmt/ranges.h>

#include "launcher/help/command_options.h"
#include "launcher/help/completion.h"

namespace edt {
namespace {

using Words = std::vector<std::string>;

std::string words(const Words& all) { return fmt::format("{}", fmt::join(all, " ")); }

// Commands, of a group those behind its name; each group once.
Words first_words(std::span<const Command> commands) {
  Words all;
  for (const Command& command : commands) {
    if (command_group(command.name).empty()) all.emplace_back(command.name);
  }
  for (const std::string_view group : groups_of(commands)) {
    if (!is_command(commands, group)) all.emplace_back(group);
  }
  return all;
}

Words second_words(std::span<const Command> commands, std::string_view group) {
  Words all;
  for (const Command& command : commands) {
    if (command_group(command.name) == group)
      all.emplace_back(command.name.substr(group.size() + 1));
  }
  return all;
}

// What completes the second word and then names the command. Behind a group that is a command
// itself stands a word of the group, or what that command takes.
std::string group_case(std::span<const Command> commands, std::string_view group) {
  const std::string second = words(second_words(commands, group));
  if (is_command(commands, group)) {
    return fmt::format(
        "    {})\n"
        "      if ((COMP_CWORD > 2)) && [[ ' {} ' == *\" ${{COMP_WORDS[2]}} \"* ]]; then\n"
        "        command+=\" ${{COMP_WORDS[2]}}\"\n"
        "      elif ((COMP_CWORD == 2)); then\n"
        "        mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$current\")\n"
        "        ((${{#COMPREPLY[@]}})) && [[ -n $current ]] && return\n"
        "      fi\n"
        "      ;;\n",
        group, second, second);
  }
  return fmt::format(
      "    {})\n"
      "      if ((COMP_CWORD == 2)); then\n"
      "        mapfile -t COMPREPLY < <(compgen -W '{} --help' -- \"$current\")\n"
      "        return\n"
      "      fi\n"
      "      command+=\" ${{COMP_WORDS[2]}}\"\n"
      "      ;;\n",
      group, second);
}

// "--a|--b": the pattern of a case.
std::string pattern(const OptionDescription& option) {
  return fmt::format("--{}", fmt::join(option.spellings, "|--"));
}

// What can stand for it; nothing is offered for numbers.
std::string offered(const OptionDescription& option) {
  if (!option.choices.empty()) return fmt::format("values='{}'", words(option.choices));
  return option.is_path ? "files=1" : "options=";
}

// Of one command: its options and, by the option before, what their values can be. A flag takes one
// only behind '='.
std::string command_case(const CommandDescription& command) {
  Words options{"--help"}, flags;
  std::string cases, alone = ":";
  for (const OptionSection& section : command.sections) {
    for (const OptionDescription& option : section.options) {
      for (const std::string& name : option.spellings) options.push_back("--" + name);
      if (option.is_flag) {
        flags.push_back(pattern(option));
      } else {
        cases += fmt::format("        {}) {} ;;\n", pattern(option), offered(option));
      }
      if (alone == ":" && !option.positional.empty()) {
        alone = "[[ $current == -* ]] || " + offered(option);
      }
    }
  }
  return fmt::format(
      "    '{}')\n      options='{}'\n      case $option in\n"
      "        {}) if [[ -n $equals ]]; then values='on off'; else {}; fi ;;\n{}"
      "        *) {} ;;\n      esac ;;\n",
      command.command, words(options), fmt::join(flags, "|"), alone, cases, alone);
}

}  // namespace

std::string bash_completion(std::span<const Command> commands) {
  std::string script = fmt::format(
      "# bash completion of edt, written by: edt help --completion bash\n"
      "_edt() {{\n"
      "  local current=${{COMP_WORDS[COMP_CWORD]}} option=${{COMP_WORDS[COMP_CWORD - 1]}}\n"
      "  local command=${{COMP_WORDS[1]}} equals= values= files= options=\n"
      "  COMPREPLY=()\n"
      "  # '=' is a word of its own.\n"
      "  if [[ $current == = ]]; then\n"
      "    current= equals=1\n"
      "  elif [[ $option == = ]]; then\n"
      "    option=${{COMP_WORDS[COMP_CWORD - 2]}} equals=1\n"
      "  fi\n"
      "  if ((COMP_CWORD == 1)); then\n"
      "    mapfile -t COMPREPLY < <(compgen -W '{} --help --version' -- \"$current\")\n"
      "    return\n"
      "  fi\n"
      "  case $command in\n",
      words(first_words(commands)));
  for (const std::string_view group : groups_of(commands)) script += group_case(commands, group);
  script += "  esac\n  case $command in\n";
  for (const CommandDescription& command : describe(commands)) script += command_case(command);
  return script +
         "  esac\n"
         "  if [[ -n $files ]]; then\n"
         "    compopt -o filenames 2>/dev/null\n"
         "    mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
         "  elif [[ -n $values ]]; then\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$current\")\n"
         "  else\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n"
         "  fi\n"
         "}\n"
         "complete -F _edt edt\n";
}

}  // namespace edt
