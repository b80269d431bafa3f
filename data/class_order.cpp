#include "data/class_order.h"

#include <algorithm>

#include "core/base/error.h"
#include "data/natural_order.h"

namespace edt::data {

namespace {

bool is_number(const std::string& name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

void order_classes(std::vector<std::string>& names, ClassOrder order, const std::string& label) {
  for (const std::string& name : names) {  // a set keeps them as lines
    const std::size_t end = name.find('\n');
    require<DataError>(end == name.npos, "data",
                       "{}: the name of the folder '{}' goes on behind the end of a line", label,
                       name.substr(0, end));
  }
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
