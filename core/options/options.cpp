#include "core/options/options.h"

#include <fmt/format.h>

#include "core/base/assert.h"
#include "core/options/option_names.h"
#include "core/options/renamed.h"

namespace edt {

OptionSet::OptionSet(std::string command, std::string summary)
    : command_(std::move(command)), summary_(std::move(summary)) {
  add("config", &config_file_, "INI file; of several the later wins, the command line over all")
      .command_line_only();
}

Option& OptionSet::add_field(std::string name, std::unique_ptr<OptionField> field,
                             std::string help) {
  EDT_ASSERT(!find_named(name) && name == canonical_key(name));
  options_.push_back(std::make_unique<Option>(std::move(name), std::move(field), std::move(help)));
  options_.back()->conditions_ = scopes_;
  return *options_.back();
}

void OptionSet::section(std::string prefix, std::string title) {
  sections_.emplace_back(std::move(prefix), std::move(title));
}

const Option* OptionSet::find_named(std::string_view name) const {
  for (const auto& option : options_) {
    if (option->name_ == name || contains(option->aliases_, std::string(name))) return option.get();
  }
  return nullptr;
}

const Option* OptionSet::find(std::string_view name) const {
  if (const Option* option = find_named(name)) return option;
  if (const auto now = present_name(command_, name); !now.empty()) return find(now);
  const Option* found = nullptr;
  for (const auto& option : options_) {
    if (key_of(option->name_) != name) continue;
    if (found) return nullptr;
    found = option.get();
  }
  return found;
}

const Option& OptionSet::get(std::string_view name) const {
  const Option* option = find(name);
  EDT_ASSERT(option);
  return *option;
}

std::vector<std::string> OptionSet::spellings(const Option& option) const {
  std::vector<std::string> all{option.name_};
  const auto add = [&](const std::string& name) {
    if (!contains(all, name)) all.push_back(name);
  };
  std::ranges::for_each(option.aliases_, add);
  const std::string key(key_of(option.name_));
  if (find(key) == &option) add(key);
  return all;
}

std::vector<std::string> OptionSet::names(bool with_command_line) const {
  std::vector<std::string> all;
  for (const auto& option : options_) {
    if (with_command_line || !option->command_line_only_) all.push_back(option->name_);
  }
  if (!with_command_line) return all;
  for (const auto& option : options_) {
    for (std::string& name : spellings(*option)) all.push_back(std::move(name));
  }
  all.push_back("help");
  return all;
}

void OptionSet::not_required(std::string_view name) {
  const_cast<Option&>(get(name)).required_ = false;
}

bool OptionSet::given(std::string_view name) const { return get(name).given_; }

const std::string& OptionSet::origin(std::string_view name) const { return get(name).origin_; }

std::vector<std::string> OptionSet::section_names() const {
  std::vector<std::string> names;
  for (const auto& option : options_) {
    std::string section = section_of(option->name_);
    if (!section.empty() && !contains(names, section)) names.push_back(std::move(section));
  }
  return names;
}

std::vector<std::string> OptionSet::given_arguments(std::string_view section) const {
  std::vector<std::string> arguments;
  for (const auto& option : options_) {
    if (!option->given_ || section_of(option->name_) != section) continue;
    const std::string value = option->field_->text();
    // A command line has no way to say nothing.
    if (value.empty() && option->has_default()) continue;
    arguments.push_back(fmt::format("--{}={}", option->name_, value));
  }
  return arguments;
}

}  // namespace edt
