// The text of --help: usage, then a block per section with types, defaults and bounds.
#include <algorithm>

#include "launcher/options/options.h"

namespace edt {
namespace {

constexpr std::size_t kIndent = 36;
constexpr std::size_t kWidth = 100;

// Words of `text` in lines that begin at column kIndent; the first line has begun already.
std::string wrapped(std::string_view text) {
  std::string lines;
  std::size_t column = kIndent;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    if (column > kIndent && column + 1 + word.size() > kWidth) {
      lines += "\n" + std::string(kIndent, ' ');
      column = kIndent;
    } else if (column > kIndent) {
      lines += ' ';
      ++column;
    }
    lines += word;
    column += word.size();
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string section_named_in(const std::string& name) {
  const auto dot = name.rfind('.');
  return dot == std::string::npos ? "" : name.substr(0, dot);
}

std::string entry(const std::string& names, const std::string& help) {
  std::string line = "  " + names;
  line += line.size() + 2 > kIndent ? "\n" + std::string(kIndent, ' ')
                                    : std::string(kIndent - line.size(), ' ');
  return line + wrapped(help) + "\n";
}

}  // namespace

class OptionHelp {
 public:
  explicit OptionHelp(const OptionSet& set) : set_(set) {}

  std::string text() const {
    std::string text = fmt::format("Usage: edt {} [options]", set_.command_);
    for (const auto& option : set_.options_) {
      if (!option->positional_) continue;
      text += option->required_ ? " " + option->name_ : " [" + option->name_ + "]";
    }
    text += fmt::format("\n\n{}\n", set_.summary_);
    for (const std::string& section : sections()) text += block(section);
    return text;
  }

 private:
  std::vector<std::string> sections() const {
    std::vector<std::string> order{""};
    for (const auto& option : set_.options_) {
      const std::string section = section_named_in(option->name_);
      if (std::find(order.begin(), order.end(), section) == order.end()) order.push_back(section);
    }
    std::rotate(order.begin(), order.begin() + 1, order.end());  // general options last
    return order;
  }

  std::string block(const std::string& section) const {
    std::string text = fmt::format("\n{}:\n", title(section));
    for (const auto& option : set_.options_) {
      if (section_named_in(option->name_) != section) continue;
      std::string names = "--" + option->name_;
      if (!option->alias_.empty()) names += ", --" + option->alias_;
      const std::string placeholder = option->choices_.empty()
                                          ? option->field_->placeholder()
                                          : fmt::format("{}", fmt::join(option->choices_, "|"));
      text += entry(names + " " + placeholder, description(*option));
    }
    if (section.empty()) text += entry("-h, --help", "this text");
    return text;
  }

  std::string title(const std::string& section) const {
    for (const auto& [prefix, title] : set_.sections_) {
      if (prefix == section) return fmt::format("{} [{}]", title, section);
    }
    return section.empty() ? "Options" : fmt::format("[{}]", section);
  }

  std::string description(const Option& option) const {
    std::vector<std::string> facts;
    if (option.required_) facts.push_back("required");
    if (!option.unit_.empty()) facts.push_back("in " + option.unit_);
    if (!option.range_text_.empty()) facts.push_back(option.range_text_);
    const std::string& value =
        option.default_shown_.empty() ? option.default_text_ : option.default_shown_;
    if (!value.empty()) facts.push_back("default " + value);
    for (const auto& condition : option.conditions_) {
      facts.push_back(
          fmt::format("when {} is {}", condition.other, fmt::join(condition.values, " or ")));
    }
    if (facts.empty()) return option.help_;
    return fmt::format("{} ({})", option.help_, fmt::join(facts, "; "));
  }

  const OptionSet& set_;
};

std::string OptionSet::help() const { return OptionHelp(*this).text(); }

}  // namespace edt
