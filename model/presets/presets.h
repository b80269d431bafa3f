// The published model sizes by name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/presets/model_config.h"

namespace edt {

// "EDT-S/2", "EDT-B/2", "EDT-XL/2" as released, and "EDT-Ti/2", a small one for first steps and
// tests; "MDTv2-S/2" and "DiT-S/2", likewise B and XL, to measure against. Throws UsageError with
// the list of names for anything else.
ModelConfig model_preset(std::string_view name);
// Gives an EDT other depths. What names blocks keeps its place: the blocks of the modulation matrix
// stay at the same share of their stage (with another number of stages: of all stages on the way
// up), and so does the mask inside the first stage.
void change_depths(EdtConfig& config, std::vector<std::int64_t> depths);

// model_preset(), for a name that is an EDT.
EdtConfig edt_preset(std::string_view name);
std::vector<std::string> preset_names();

}  // namespace edt
