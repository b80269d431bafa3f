#include "core/options/option_description.h"

#include <algorithm>
#include <cctype>

#include "core/options/option_names.h"
#include "core/options/options.h"

namespace edt {
namespace {

std::string capitals(std::string_view name) {
  std::string text(name.substr(name.rfind('.') + 1));
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

class OptionDescriber {
 public:
  explicit OptionDescriber(const OptionSet& set) : set_(set) {}

  CommandDescription command() const {
    CommandDescription command{set_.command_, set_.summary_, {}};
    for (const std::string& name : sections()) {
      OptionSection section{title(name), {}};
      for (const auto& option : set_.options_) {
        if (section_of(option->name_) == name) section.options.push_back(describe(*option));
      }
      command.sections.push_back(std::move(section));
    }
    return command;
  }

 private:
  std::vector<std::string> sections() const {
    std::vector<std::string> order{""};
    for (const auto& option : set_.options_) {
      const std::string section = section_of(option->name_);
      if (std::ranges::find(order, section) == order.end()) order.push_back(section);
    }
    std::rotate(order.begin(), order.begin() + 1, order.end());  // general options last
    return order;
  }

  std::string title(const std::string& section) const {
    for (const auto& [prefix, title] : set_.sections_) {
      if (prefix == section) return fmt::format("{} [{}]", title, section);
    }
    return section.empty() ? "Options" : fmt::format("[{}]", section);
  }

  OptionDescription describe(const Option& option) const {
    const bool listed = !option.choices_.empty();
    OptionDescription description{.spellings = set_.spellings(option),
                                  .value = listed
                                               ? fmt::format("{}", fmt::join(option.choices_, "|"))
                                               : option.field_->placeholder(),
                                  .choices = listed ? option.choices_ : option.field_->choices(),
                                  .help = option.help_,
                                  .facts = facts(option),
                                  .is_flag = option.field_->is_flag(),
                                  .is_path = option.field_->placeholder().starts_with("PATH")};
    if (option.positional_) {
      const std::string name = capitals(option.name_) + (option.takes_rest_ ? "..." : "");
      description.positional = option.required_ ? name : "[" + name + "]";
    }
    return description;
  }

  static std::vector<std::string> facts(const Option& option) {
    std::vector<std::string> facts;
    if (option.required_) facts.push_back("required");
    if (!option.unit_.empty()) facts.push_back("in " + option.unit_);
    if (!option.range_text_.empty()) facts.push_back(option.range_text_);
    const std::string& value =
        option.default_shown_.empty() ? option.default_text_ : option.default_shown_;
    if (!value.empty()) facts.push_back("default " + value);
    for (const auto& condition : option.conditions_) {
      facts.push_back(condition.owner.empty() ? fmt::format("when {} is {}", condition.other,
                                                            fmt::join(condition.values, " or "))
                                              : condition.owner + " only");
    }
    return facts;
  }

  const OptionSet& set_;
};

CommandDescription OptionSet::description() const { return OptionDescriber(*this).command(); }

std::string OptionDescription::text() const {
  return facts.empty() ? help : fmt::format("{} ({})", help, fmt::join(facts, "; "));
}

std::string CommandDescription::usage() const {
  std::string text = fmt::format("edt {} [options]", command);
  for (const OptionSection& section : sections) {
    for (const OptionDescription& option : section.options) {
      if (!option.positional.empty()) text += " " + option.positional;
    }
  }
  return text;
}

}  // namespace edt
