// The text of --help: usage, then a block per section with types, defaults and bounds.
#include <fmt/ranges.h>

#include <algorithm>

#include "core/options/option_description.h"

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

std::string entry(const std::string& names, const std::string& help) {
  std::string line = "  " + names;
  line += line.size() + 2 > kIndent ? "\n" + std::string(kIndent, ' ')
                                    : std::string(kIndent - line.size(), ' ');
  return line + wrapped(help) + "\n";
}

std::string dashed(const std::vector<std::string>& spellings) {
  return fmt::format("--{}", fmt::join(spellings, ", --"));
}

}  // namespace

std::string help_text(const CommandDescription& command) {
  std::string text = fmt::format("Usage: {}\n\n{}\n", command.usage(), command.summary);
  for (const OptionSection& section : command.sections) {
    text += fmt::format("\n{}:\n", section.title);
    for (const OptionDescription& option : section.options) {
      text += entry(dashed(option.spellings) + " " + option.value, option.text());
    }
  }
  return text + entry("-h, --help", "this text");
}

}  // namespace edt
