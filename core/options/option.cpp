// An option by itself: how it is declared, and what its value must obey.
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>

#include "core/options/nearest.h"
#include "core/options/option_names.h"
#include "core/options/options.h"

namespace edt {
namespace {

// Bounds come as long double, which holds every 64-bit integer here, and are shown without noise.
std::string shown(long double bound) { return fmt::format("{}", static_cast<double>(bound)); }

// What a path must be that this one is not: an address, or a name with a variable of the shell in
// it. Empty: it may well be one, as any does of which there is a file.
std::string no_path(std::string_view text) {
  std::error_code ignored;
  if (text.empty() || std::filesystem::exists(std::filesystem::path(text), ignored)) return "";
  const auto is_letter = [](unsigned char c) { return std::isalpha(c) || c == '_'; };
  const std::size_t scheme = text.find("://");
  const bool is_address = scheme != text.npos && scheme >= 2 &&
                          std::ranges::all_of(text.substr(0, scheme), [](unsigned char c) {
                            return std::isalnum(c) || c == '+' || c == '.' || c == '-';
                          });
  if (is_address || text.starts_with("pipe:")) {
    return "a path of this machine, not an address or a command: nothing is fetched, copy or "
           "mount it first";
  }
  const std::size_t dollar = text.find('$');
  const bool is_variable = dollar != text.npos && dollar + 1 < text.size() &&
                           (text[dollar + 1] == '{' || is_letter(text[dollar + 1]));
  if (is_variable) {
    return "a path; variables ($NAME) are replaced by shells alone, not in single quotes, and not "
           "in configurations";
  }
  return "";
}

}  // namespace

Option::Option(std::string name, std::unique_ptr<OptionField> field, std::string help)
    : name_(std::move(name)),
      help_(std::move(help)),
      default_text_(field->text()),
      default_now_(default_text_),
      field_(std::move(field)) {}

Option& Option::alias(std::string name) {
  aliases_.push_back(std::move(name));
  return *this;
}

Option& Option::unit(std::string unit) {
  unit_ = std::move(unit);
  return *this;
}

Option& Option::default_is(std::string what) {
  default_shown_ = std::move(what);
  return *this;
}

Option& Option::range(long double lowest, long double highest) {
  range_text_ = fmt::format("from {} to {}", shown(lowest), shown(highest));
  bounds_.push_back([=](long double x) { return x >= lowest && x <= highest; });
  return *this;
}

Option& Option::at_least(long double lowest) {
  range_text_ = fmt::format("at least {}", shown(lowest));
  bounds_.push_back([=](long double x) { return x >= lowest; });
  return *this;
}

Option& Option::above(long double bound) {
  range_text_ = fmt::format("above {}", shown(bound));
  bounds_.push_back([=](long double x) { return x > bound; });
  return *this;
}

Option& Option::below(long double bound) {
  range_text_ += fmt::format("{}below {}", range_text_.empty() ? "" : ", ", shown(bound));
  bounds_.push_back([=](long double x) { return x < bound; });
  return *this;
}

Option& Option::single_precision() {
  single_ = true;
  return *this;
}

Option& Option::choices(std::vector<std::string> allowed) {
  choices_ = std::move(allowed);
  return *this;
}

Option& Option::check(std::function<std::string()> rule) {
  rules_.push_back(std::move(rule));
  return *this;
}

Option& Option::positional() {
  positional_ = true;
  return *this;
}

Option& Option::positional_list() {
  takes_rest_ = true;
  return positional();
}

Option& Option::required() {
  required_ = true;
  return *this;
}

Option& Option::command_line_only() {
  command_line_only_ = true;
  return *this;
}

Option& Option::absolute() {
  absolute_ = true;
  return *this;
}

Option& Option::free_to_change() {
  free_to_change_ = true;
  return *this;
}

Option& Option::belongs_to(std::string other) {
  owner_ = std::move(other);
  return *this;
}

Option& Option::used_when(std::string other, std::vector<std::string> values) {
  conditions_.push_back({std::move(other), std::move(values), {}});
  return *this;
}

Option& Option::follows(std::string other, std::vector<std::string> values, std::string value) {
  following_ = {{std::move(other), std::move(values), {}}, std::move(value)};
  return *this;
}

std::string Option::expected() const {
  if (!choices_.empty()) return fmt::format("one of {}", fmt::join(choices_, ", "));
  return field_->expected() + (range_text_.empty() ? "" : ", " + range_text_) +
         (single_ ? ", in single precision (0, or 1.2e-38 to 3.4e38 in size)" : "");
}

bool Option::is_in_bounds(long double number) const {
  const auto used = static_cast<float>(number);
  if (single_ && number != 0 && !std::isnormal(used)) return false;
  return std::ranges::all_of(
      bounds_, [&](const auto& bound) { return bound(number) && (!single_ || bound(used)); });
}

std::string Option::broken_rule() const {
  if (required_ && field_->text().empty()) return "a text that is not empty";
  for (const std::string& word : field_->words()) {
    if (field_->placeholder().starts_with("PATH")) {
      if (std::string problem = no_path(word); !problem.empty()) return problem;
    }
    if (!choices_.empty() && !contains(choices_, word)) {
      return expected() + suggestion(word, choices_);
    }
  }
  for (const long double number : field_->numbers()) {
    if (!is_in_bounds(number)) return expected();
  }
  for (const auto& rule : rules_) {
    if (std::string broken = rule(); !broken.empty()) return broken;
  }
  return "";
}

}  // namespace edt
