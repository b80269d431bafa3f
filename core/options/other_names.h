// What the options of other programs of the field are called (DiT, SiT, MDT, fast-DiT, diffusers'
// and accelerate's scripts), for people who come from there.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace edt {

// Their names and ours, with one line for each meaning that a name may have here.
std::span<const std::pair<std::string_view, std::string_view>> other_names();

// "; here it is --train.batch", where `name` is such a name and its meaning is in `known`; or
// nothing.
std::string name_here(std::string_view name, std::span<const std::string> known);

}  // namespace edt
