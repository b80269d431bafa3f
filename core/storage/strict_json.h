// JSON from outside: what one reader would take and another drop is refused.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace edt {

// DataError naming `label` for text that is not JSON (with the byte), and for a name that stands
// twice in one object: readers differ in which of the two they take.
nlohmann::json parse_json(std::string_view text, const std::string& label);

}  // namespace edt
