// A comparison of records in words, and as JSON for scripts.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "launcher/diff/comparison.h"

namespace edt {

// One or several lines.
std::string text_of(const RecordComparison& comparison);
nlohmann::ordered_json json_of(const RecordComparison& comparison);

}  // namespace edt
