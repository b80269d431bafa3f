#include "data/pictures/label_list.h"

#include <algorithm>
#include <charconv>

#include "core/base/error.h"
#include "core/storage/text_lines.h"
#include "core/unicode/unicode.h"
#include "data/pictures/repeated_names.h"

namespace edt::data {

namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

// A name as spreadsheets write it: "a, b.png", with "" for a quote.
std::string unquoted(std::string_view name) {
  if (name.size() < 2 || !name.starts_with('"') || !name.ends_with('"')) return std::string(name);
  std::string text;
  for (std::size_t i = 1; i + 1 < name.size(); ++i) {
    text += name[i];
    if (name[i] == '"' && name[i + 1] == '"' && i + 2 < name.size()) ++i;
  }
  return text;
}

}  // namespace

std::int32_t parse_label(std::string_view text, const std::string& where) {
  constexpr std::int32_t kMost = (1 << 24) - 1;
  const std::string_view number = trimmed(text);
  std::int32_t label = -1;
  const auto [end, status] = std::from_chars(number.data(), number.data() + number.size(), label);
  require<DataError>(
      status == std::errc() && end == number.data() + number.size() && label >= 0 && label <= kMost,
      "pictures", "{}: label '{}' is no whole number from 0 to {}", where, number.substr(0, 40),
      kMost);
  return label;
}

void for_each_label(const std::filesystem::path& file,
                    const std::function<void(const std::string& name, std::int32_t label)>& visit) {
  std::error_code code;
  require<DataError>(std::filesystem::is_regular_file(file, code), "pictures",
                     "{}: the list of labels cannot be read", file.string());
  TextLines lines(file);
  std::string line;
  for (std::uint64_t number = 1; lines.next(line); ++number) {
    if (number == 1 && line.starts_with(kByteOrderMark)) line.erase(0, kByteOrderMark.size());
    const std::string_view text = trimmed(line);
    if (text.empty()) continue;
    const std::string where = fmt::format("{}:{}", file.string(), number);
    require<DataError>(text.find('\0') == text.npos, "pictures",
                       "{}: a byte 0, which no text holds", where);
    require<DataError>(!text.starts_with("{\"") && !text.starts_with("[["), "pictures",
                       "{}: is JSON: lines of a name and a number are needed, one a picture",
                       where);
    const std::size_t separator = text.find_last_of(" \t,");
    require<DataError>(separator != text.npos, "pictures",
                       "{}: '{}' is no name and label with a blank or a comma between them", where,
                       text.substr(0, 100));
    const std::string_view name = trimmed(text.substr(0, separator));
    require<DataError>(!name.empty(), "pictures", "{}: a label without a name", where);
    visit(unquoted(name), parse_label(text.substr(separator + 1), where));
  }
}

void for_each_picture_of_list(
    const std::filesystem::path& file, const std::filesystem::path& folder,
    const std::function<void(const std::string& name, std::int32_t label)>& visit) {
  const auto place_of = [&](const std::string& name) {
    return (folder / name).lexically_normal().string();
  };
  RepeatedNames places;
  for_each_label(file, [&](const std::string& name, std::int32_t label) {
    places.add(place_of(name));
    visit(name, label);
  });
  if (!places.may_repeat()) return;
  for_each_label(file, [&](const std::string& name, std::int32_t) {
    require<DataError>(!places.is_repeated(place_of(name)), "pictures", "{}: '{}' stands twice",
                       file.string(), name);
  });
}

}  // namespace edt::data
