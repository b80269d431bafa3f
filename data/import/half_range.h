// What float16 cannot hold of float32 values.
#pragma once

#include <span>
#include <string>

namespace edt::data {

// Empty where it holds them; else why not: one value would be infinite, or all of them zero, which
// not all of them are.
std::string lost_in_float16(std::span<const float> values);

}  // namespace edt::data
