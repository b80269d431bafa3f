// JSON that others read: names of files and classes need not be UTF-8, JSON has to be.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace edt {

// Bytes that are not UTF-8 become U+FFFD.
template <class Json>
std::string json_text(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace edt
