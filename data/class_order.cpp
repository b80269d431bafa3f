#include "data/class_order.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/unicode/unicode.h"
#include "data/natural_order.h"

namespace edt::data {

namespace {

bool is_number(const std::string& name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "cafe\xcc\x81": names that look the same, made to look as they are.
std::string escaped(std::string_view name) {
  std::string text;
  for (const unsigned char c : name) {
    text += c < 0x80 ? std::string(1, static_cast<char>(c)) : fmt::format("\\x{:02x}", c);
  }
  return text;
}

// One name in two forms of Unicode is one class that came by two ways, as from macOS and from
// Linux. Other names that look the same may be meant so: "Cat" and "cat" are two classes to
// torchvision as well.
void look_at_likeness(std::span<const std::string> names, const std::string& label) {
  std::map<std::string, std::string> forms, looks;
  for (const std::string& name : names) {
    const auto [same, is_new] = forms.try_emplace(composed(name), name);
    require<DataError>(is_new, "data",
                       "{}: the classes '{}' and '{}' are one name in two forms of Unicode (NFC, "
                       "NFD): make them one folder",
                       label, escaped(same->second), escaped(name));
    const auto [like, looks_new] = looks.try_emplace(look_of(name), name);
    if (looks_new) continue;
    log::warning("the classes '{}' and '{}' look the same: are they two?", escaped(like->second),
                 escaped(name));
  }
}

}  // namespace

bool are_parts_of_a_set(std::span<const std::string> folders) {
  static const std::set<std::string> kParts{"train", "training",   "val", "valid",  "eval",
                                            "test",  "validation", "dev", "testing"};
  return !folders.empty() && std::ranges::all_of(folders, [](std::string name) {
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    return kParts.contains(name);
  });
}

void order_classes(std::vector<std::string>& names, ClassOrder order, const std::string& label) {
  for (const std::string& name : names) {  // a set keeps them as lines
    const std::size_t end = name.find('\n');
    require<DataError>(end == name.npos, "data",
                       "{}: the name of the folder '{}' goes on behind the end of a line", label,
                       name.substr(0, end));
  }
  look_at_likeness(names, label);
  std::vector<std::string> by_number = names;
  std::sort(names.begin(), names.end());
  std::sort(by_number.begin(), by_number.end(), natural_less);
  if (order == ClassOrder::kNumber) names = by_number;
  const bool numbers = std::all_of(names.begin(), names.end(), is_number);
  if (order != ClassOrder::kAuto || !numbers || by_number == names) return;
  const auto [a, b] = std::mismatch(names.begin(), names.end(), by_number.begin());
  fail<UsageError>("data",
                   "{}: label {} is the folder {} in the order of names, {} in that of numbers: "
                   "say --class-order name or number",
                   label, a - names.begin(), *a, *b);
}

}  // namespace edt::data
