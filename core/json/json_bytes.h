// Names of files in JSON that is read back: they need not be UTF-8, JSON has to be.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace edt {

// A text where it is UTF-8, else the list of its bytes: another name has another value.
nlohmann::json json_of_bytes(std::string_view bytes);
// Throws nlohmann::json::exception for any other value.
std::string bytes_of_json(const nlohmann::json& json);

}  // namespace edt
