// JSON as text. All of the project's is read and written here: in each file that had the library do
// so, that would be most of what the compiler does.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace edt {

// DataError naming `label` for text that is not JSON (with the byte), and for a name that stands
// twice in one object: readers differ in which of the two they take.
nlohmann::json parse_json(std::string_view text, const std::string& label);

// Text that may be anything: a discarded value, neither object nor array nor number, where it is
// not JSON; then `fault` is told "not JSON from byte 17 on". Of two equal names the last counts.
nlohmann::json try_parse_json(std::string_view text, std::string* fault = nullptr);
nlohmann::ordered_json try_parse_ordered_json(std::string_view text, std::string* fault = nullptr);

// In one line, or indented by so many blanks for each level. Names of files and classes need not be
// UTF-8, JSON has to be: bytes that are not become U+FFFD.
std::string dump_json(const nlohmann::json& json, int indent = -1);
std::string dump_json(const nlohmann::ordered_json& json, int indent = -1);

}  // namespace edt
