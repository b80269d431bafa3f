// The published model sizes of all families by name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/families/model_config.h"

namespace edt {

// "EDT-S/2", "MDTv2-S/2", "DiT-XL/2", ... Throws UsageError with the list of names for anything
// else.
ModelConfig model_preset(std::string_view name);

// model_preset(), for a name that is an EDT.
EdtConfig edt_preset(std::string_view name);
std::vector<std::string> preset_names();

}  // namespace edt
