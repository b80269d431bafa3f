// Where values come from: files, the command line, and what is read before both.
#include <algorithm>
#include <filesystem>
#include <map>

#include "core/base/error.h"
#include "core/options/nearest.h"
#include "core/options/option_names.h"
#include "core/options/options.h"
#include "core/options/other_names.h"
#include "core/options/renamed.h"
#include "core/unicode/unicode.h"

namespace edt {
namespace {

// What was copied from a page may look right and be none of the characters that are meant.
std::string stand_in_note(std::string_view text) {
  const std::string found = stand_ins(text);
  return found.empty() ? "" : fmt::format("; it has {}", found);
}

// Says so where `name` is one that an option had in an earlier version.
void note_former(OptionSet& options, std::string_view command, std::string_view name,
                 std::string_view origin) {
  const std::string_view now = present_name(command, name);
  if (!now.empty()) options.note(fmt::format("{} ({}) is now called {}", name, origin, now));
}

}  // namespace

void OptionSet::assign(Option& option, std::string_view value, std::string origin) {
  if (!option.field_->parse(value)) {
    fail<UsageError>(command_, "{} = '{}' ({}): expected {}{}", option.name_, value, origin,
                     option.expected(), suggestion(value, option.choices_));
  }
  const std::string broken = option.broken_rule();
  require<UsageError>(broken.empty(), command_, "{} = '{}' ({}): expected {}", option.name_, value,
                      origin, broken);
  if (option.absolute_) option.field_->make_absolute();
  option.origin_ = std::move(origin);
  option.source_ = source_;
  option.given_ = true;
}

bool OptionSet::parse(std::span<const std::string> args) {
  std::vector<CommandLineName> known{{"help", true}};
  for (const auto& option : options_) {
    for (std::string& name : spellings(*option)) {
      known.push_back({std::move(name), option->field_->is_flag()});
    }
  }
  for (const RenamedOption& former : renamed_options()) {
    if (!former.command.empty() && former.command != command_) continue;
    if (const Option* option = find(former.old_name)) {
      known.push_back({std::string(former.old_name), option->field_->is_flag()});
    }
  }
  const auto arguments = split_command_line(command_, args, known);
  for (const auto& argument : arguments) {
    if (argument.name == "help") return false;
  }
  for (const auto& argument : arguments) {
    if (argument.known) continue;
    const std::vector<std::string> all = names(true);
    const std::string here = name_here(argument.name, all);
    fail<UsageError>(command_, "unknown option '{}'{}{}",
                     argument.name.starts_with('-') ? argument.name : "--" + argument.name,
                     here.empty() ? suggestion(argument.name, all, "--") : here,
                     stand_in_note(argument.name));
  }
  std::vector<IniFile> files;
  for (const auto& argument : arguments) {
    if (argument.name != "config") continue;
    require<UsageError>(!argument.value.empty(), command_, "--config names no file");
    files.push_back(read_ini_file(option_type::path_of(argument.value)));
  }
  if (first_source_) read_first_source(arguments, files);
  for (const IniFile& file : files) read(file);
  ++source_;
  read_command_line(arguments);
  check();
  return true;
}

// What stands alone is often a value that has lost its option.
std::string OptionSet::unexpected(const std::string& argument, const std::string& flag) const {
  std::string text = fmt::format("unexpected argument '{}'{}", argument, stand_in_note(argument));
  if (!stand_ins(argument).empty()) return text;
  if (!flag.empty()) return text + fmt::format("; --{} is on or off", flag);
  for (const auto& option : options_) {
    if (option->required_ && !option->given_) {
      return text + fmt::format("; --{} is required: {}", option->name_, option->help_);
    }
  }
  for (const auto& option : options_) {
    if (option->positional_ && option->source_ == source_) {
      return text + fmt::format("; {} is '{}' already", option->name_, option->field_->text());
    }
  }
  return text;
}

// What stands alone is the value of the positional options, in order, that are not given by name; a
// list at the end takes what stands alone also where it is: --pictures a.tar b.tar.
void OptionSet::read_command_line(std::span<const CommandLineArgument> arguments) {
  // "--pictures=train-{0..9}.tar" comes from a shell as ten of them. Of other options the last one
  // counts, as with other programs; of a list of input, as files or NAME=FILE, none may be lost.
  const auto refuse_repetition = [&](const std::string& name, const std::string& type,
                                     const std::string& before, const std::string& now) {
    const bool is_input =
        type == "PATH,..." || (type == "TEXT,..." && now.find('=') != std::string::npos);
    require<UsageError>(!is_input, command_,
                        "--{} is given twice, as '{}' and '{}', and the first would be left out: "
                        "one list with commas is meant",
                        name, before, now);
  };
  std::vector<const Option*> named;
  std::map<const Option*, std::string> values;
  for (const auto& argument : arguments) {
    if (argument.name.empty() || argument.name == "config") continue;
    named.push_back(&get(argument.name));
    const auto [before, is_new] = values.try_emplace(named.back(), argument.value);
    if (!is_new && before->second != argument.value) {
      refuse_repetition(named.back()->name_, named.back()->field_->placeholder(), before->second,
                        argument.value);
      note(fmt::format("--{} is given twice, as '{}' and '{}': the last one counts",
                       named.back()->name_, before->second, argument.value));
      before->second = argument.value;
    }
    note_former(*this, command_, argument.name, "command line");
    assign(const_cast<Option&>(*named.back()), argument.value, "command line");
  }
  std::vector<Option*> positional;
  std::string rest;  // elements of a list at the end
  for (const auto& option : options_) {
    const bool is_named = std::ranges::find(named, option.get()) != named.end();
    if (!option->positional_ || (is_named && !option->takes_rest_)) continue;
    positional.push_back(option.get());
    if (is_named) rest = option->field_->text();
  }
  auto next = positional.begin();
  std::string flag;  // the option before, where it takes on or off and may stand alone
  for (const auto& argument : arguments) {
    if (!argument.name.empty()) {
      flag = get(argument.name).field_->is_flag() ? argument.name : "";
      continue;
    }
    require<UsageError>(next != positional.end(), command_, "{}", unexpected(argument.value, flag));
    if ((*next)->takes_rest_) {
      if (!rest.empty()) rest += ',';
      rest += option_type::list_element(argument.value);
    } else {
      assign(**next++, argument.value, "command line");
    }
    flag.clear();
  }
  if (!rest.empty()) assign(**next, rest, "command line");
  end_source();
}

void OptionSet::begin_with(std::string option, SourceOf read) {
  first_option_ = std::move(option);
  first_source_ = std::move(read);
}

void OptionSet::read_first_source(std::span<const CommandLineArgument> arguments,
                                  std::span<const IniFile> files) {
  std::vector<std::string> alone;  // read_command_line() gives them to the positional options
  std::vector<const Option*> named, positional;
  for (const CommandLineArgument& argument : arguments) {
    if (argument.name.empty()) alone.push_back(argument.value);
    if (!argument.name.empty()) named.push_back(&get(argument.name));
  }
  for (const auto& option : options_) {
    const bool is_named = std::ranges::find(named, option.get()) != named.end();
    if (option->positional_ && !is_named) positional.push_back(option.get());
  }
  // The last value that an option has in them.
  const auto value_of = [&](std::string_view name) {
    const Option& option = get(name);
    std::optional<std::string> value;
    for (const IniFile& file : files) {
      for (const IniEntry& entry : file.entries) {
        if (find(entry.key) == &option) value = entry.value;
      }
    }
    for (const CommandLineArgument& argument : arguments) {
      if (!argument.name.empty() && &get(argument.name) == &option) value = argument.value;
    }
    const auto at =
        static_cast<std::size_t>(std::ranges::find(positional, &option) - positional.begin());
    if (at < positional.size() && at < alone.size()) value = alone[at];
    return value;
  };
  const std::string value = value_of(first_option_).value_or("");
  if (value.empty()) return;
  const auto is_given = [&](std::string_view name) { return value_of(name).has_value(); };
  if (const auto first =
          first_source_(option_type::absolute(option_type::path_of(value)), is_given))
    read(*first);
}

void OptionSet::read_entry(const IniEntry& entry, const std::string& file) {
  auto* option = const_cast<Option*>(find(entry.key));
  if (option == nullptr || option->command_line_only_) {  // no require(): what it says takes long
    fail<UsageError>(command_, "{}:{}: unknown key '{}'{}", file, entry.line, entry.key,
                     suggestion(entry.key, names(false)));
  }
  require<UsageError>(!option->given_ || option->source_ != source_, command_,
                      "{}:{}: '{}' was already set ({})", file, entry.line, option->name_,
                      option->origin_);
  note_former(*this, command_, entry.key, fmt::format("{}:{}", file, entry.line));
  assign(*option, entry.value, fmt::format("{}:{}", file, entry.line));
}

void OptionSet::read(const IniFile& ini) {
  ++source_;
  for (const IniEntry& entry : ini.entries) read_entry(entry, ini.name);
  end_source();
}

void OptionSet::read_known_sections(const IniFile& ini) {
  ++source_;
  for (const IniEntry& entry : ini.entries) {
    const auto same_section = [&](const std::string& name) {
      return section_of(name) == section_of(entry.key);
    };
    const auto known = names(false);
    if (std::any_of(known.begin(), known.end(), same_section)) read_entry(entry, ini.name);
  }
  end_source();
}

}  // namespace edt
