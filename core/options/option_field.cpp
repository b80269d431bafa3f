#include "core/options/option_field.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace edt::option_type {
std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  if (text.find_first_not_of(" \t") == std::string_view::npos) return parts;
  std::string part;
  std::size_t kept = 0;  // blanks after this position are dropped
  const auto finish = [&] {
    part.resize(kept);
    parts.push_back(std::exchange(part, {}));
    kept = 0;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_escaped = text[i] == '\\' && i + 1 < text.size();
    if (is_escaped) ++i;
    const bool is_blank = !is_escaped && (text[i] == ' ' || text[i] == '\t');
    if (!is_escaped && text[i] == ',') {
      finish();
    } else if (!is_blank || !part.empty()) {
      part += text[i];
      if (!is_blank) kept = part.size();
    }
  }
  finish();
  return parts;
}

std::string list_element(std::string_view text) {
  std::string element;
  for (const char c : text) {
    if (c == ',' || c == '\\' || c == ' ' || c == '\t') element += '\\';
    element += c;
  }
  return element;
}

std::optional<bool> parse_flag(std::string_view given) {
  std::string text(given);  // Python writes True, for one
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  constexpr std::array<std::string_view, 4> kOn{"on", "true", "yes", "1"};
  constexpr std::array<std::string_view, 4> kOff{"off", "false", "no", "0"};
  if (std::find(kOn.begin(), kOn.end(), text) != kOn.end()) return true;
  if (std::find(kOff.begin(), kOff.end(), text) != kOff.end()) return false;
  return std::nullopt;
}

std::filesystem::path path_of(std::string_view text) {
  const bool is_at_home = text == "~" || text.starts_with("~/");
  const char* home = is_at_home ? std::getenv("HOME") : nullptr;
  if (home == nullptr || *home == '\0') return text;
  return std::string(home) + std::string(text.substr(1));
}

std::filesystem::path absolute(const std::filesystem::path& path) {
  if (path.empty()) return path;
  std::error_code error;
  std::filesystem::path whole = std::filesystem::absolute(path, error);
  if (error) return path;
  // Behind a link, ".." is not what the text says.
  const bool is_plain = std::ranges::find(whole, "..") == whole.end();
  whole = is_plain ? whole.lexically_normal() : std::filesystem::weakly_canonical(whole, error);
  if (error) return path;
  return whole.has_filename() ? whole : whole.parent_path();
}

bool is_same_file(const std::filesystem::path& a, const std::filesystem::path& b) {
  std::error_code ignored;
  return a == b || std::filesystem::equivalent(a, b, ignored);
}

}  // namespace edt::option_type

namespace edt {

bool NamedField::parse(std::string_view text) {
  for (const auto& [name, place] : names_) {
    if (name != text) continue;
    choose(place);
    return true;
  }
  return false;
}

std::string NamedField::text() const {
  if (place() >= names_.size()) fail("options", "a default that has no name");
  return names_[place()].first;
}

nlohmann::ordered_json NamedField::json() const { return text(); }
std::string NamedField::expected() const {
  return fmt::format("one of {}", fmt::join(choices(), ", "));
}
std::string NamedField::placeholder() const { return fmt::format("{}", fmt::join(choices(), "|")); }

std::vector<std::string> NamedField::choices() const {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (names_[i].second == i) all.push_back(names_[i].first);
  }
  return all;
}

}  // namespace edt
