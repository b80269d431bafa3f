// File names in the order people count: "2.npy" before "10.npy".
#pragma once

#include <string_view>

namespace edt::data {

bool natural_less(std::string_view a, std::string_view b);

}  // namespace edt::data
