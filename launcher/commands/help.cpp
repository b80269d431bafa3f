// edt help: what commands do, and what shells and man are told of them.
#include <algorithm>

#include "core/base/error.h"
#include "core/options/options.h"
#include "core/storage/durable_file.h"
#include "launcher/commands/table.h"
#include "launcher/help/command_options.h"
#include "launcher/help/completion.h"
#include "launcher/help/man_page.h"
#include "launcher/version.h"

namespace edt {
namespace {

std::string version_number() { return versions().front().second; }

enum class Shell { kNone, kBash, kZsh };

// The words that names of commands and groups are made of.
std::vector<std::string> words_of_names() {
  std::vector<std::string> words;
  const auto add = [&](std::string_view word) {
    if (std::ranges::find(words, word) == words.end()) words.emplace_back(word);
  };
  for (const Command& command : command_table()) {
    const std::string_view group = command_group(command.name);
    if (!group.empty()) add(group);
    add(command.name.substr(group.empty() ? 0 : group.size() + 1));
  }
  return words;
}

const Command& command_named(const std::string& name) {
  const auto commands = command_table();
  const auto found = std::ranges::find(commands, name, &Command::name);
  if (found == commands.end()) unknown_command(name, commands);
  return *found;
}

bool is_group(const std::string& name) {
  if (is_command(command_table(), name)) return false;
  const auto groups = groups_of(command_table());
  return name.empty() || std::ranges::find(groups, name) != groups.end();
}

// share/ as cmake --install has it.
void install(const std::filesystem::path& prefix) {
  const auto commands = command_table();
  const auto write = [&](const std::filesystem::path& file, const std::string& text) {
    const std::filesystem::path path = prefix / "share" / file;
    make_directories(path.parent_path());
    write_text_atomically(path, text);
  };
  write("bash-completion/completions/edt", bash_completion(commands));
  write("zsh/site-functions/_edt", zsh_completion(commands));
  write("man/man1/edt.1", man_page(commands, version_number()));
  for (const Command& command : commands) {
    write("man/man1/" + man_page_name(command.name) + ".1", man_page(command, version_number()));
  }
}

}  // namespace

int help(std::span<const std::string> args, CommandContext& context) {
  std::vector<std::string> words;
  Shell shell = Shell::kNone;
  bool man = false;
  std::filesystem::path prefix;
  OptionSet options("help",
                    "Explains a command, or lists all. Also writes what shells and man(1) need to "
                    "know of the commands, made of the same declarations.");
  options.add("command", &words, "a command, or a group of commands")
      .positional_list()
      .choices(words_of_names());
  options.add("completion", &shell,
              {{"none", Shell::kNone}, {"bash", Shell::kBash}, {"zsh", Shell::kZsh}},
              "print what completes command lines in this shell, of all commands");
  options.add("man", &man, "print a manual page instead: of the command, or edt(1)");
  options.add("install-to", &prefix,
              "write completions and manual pages to share/ in this directory, e.g. ~/.local");
  if (!read_options(options, args, context)) return kDone;

  const std::string name = fmt::format("{}", fmt::join(words, " "));
  require<UsageError>((shell != Shell::kNone) + man + !prefix.empty() <= 1, "help",
                      "--completion, --man and --install-to exclude each other");
  require<UsageError>(name.empty() || (shell == Shell::kNone && prefix.empty()), "help",
                      "'{}' is given, but --completion and --install-to are of all commands", name);
  require<UsageError>(!options.given("install-to") || !prefix.empty(), "help",
                      "--install-to names no directory");
  const bool of_group = man && !name.empty() && is_group(name);
  require<UsageError>(!of_group, "help",
                      "{0} is a group of commands, each has a page of its own: "
                      "edt help {0} lists them",
                      name);
  if (!prefix.empty()) {
    require_directory(prefix, "--install-to");
    install(prefix);
  } else if (shell != Shell::kNone) {
    context.out << (shell == Shell::kBash ? bash_completion(command_table())
                                          : zsh_completion(command_table()));
  } else if (man && name.empty()) {
    context.out << man_page(command_table(), version_number());
  } else if (man) {
    context.out << man_page(command_named(name), version_number());
  } else if (is_group(name)) {
    context.out << overview(command_table(), name);
  } else {
    context.out << help_text(describe(command_named(name)));
  }
  return kDone;
}

}  // namespace edt
