// Which label a folder of a class stands for.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace edt::data {

// In the order of the folders' names.
enum class ClassOrder : std::uint8_t {
  kAuto,    // the place of its name, where that cannot be mistaken for the number that it is
  kName,    // the place of its name, compared letter by letter
  kNumber,  // the place of the number that its name is
};

// Whether folders of these names are the parts that sets are divided into (train, val, ...) and no
// classes. False of none.
bool are_parts_of_a_set(std::span<const std::string> folders);

// Puts names into that order. UsageError, naming `label` and two of them, where kAuto is in doubt;
// DataError where two are the same characters. Warns of those that look the same.
void order_classes(std::vector<std::string>& names, ClassOrder order, const std::string& label);

}  // namespace edt::data
