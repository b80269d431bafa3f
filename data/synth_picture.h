// Pictures of classes that a person tells apart at a glance: shapes and textures in few bold
// colours, of varied position, size, turn and shade.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/image/image.h"

namespace edt::data {

// Names of the classes, in the order of their labels.
const std::vector<std::string>& synth_class_names();

// Picture `sample` of class `label`: a function of its arguments alone. `size` in pixels.
Image draw_synth_picture(int label, int size, std::uint64_t seed, std::uint32_t sample);

}  // namespace edt::data
