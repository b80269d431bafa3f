#include "core/json/json_bytes.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/unicode/unicode.h"

namespace edt {

nlohmann::json json_of_bytes(std::string_view bytes) {
  if (is_utf8(bytes)) return bytes;
  return std::vector<std::uint8_t>(bytes.begin(), bytes.end());
}

std::string bytes_of_json(const nlohmann::json& json) {
  if (!json.is_array()) return json.get<std::string>();
  const auto bytes = json.get<std::vector<std::uint8_t>>();
  return {bytes.begin(), bytes.end()};
}

}  // namespace edt
