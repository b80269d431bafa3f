#include "core/storage/strict_json.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "core/base/error.h"

namespace edt {

using nlohmann::json;

json parse_json(std::string_view text, const std::string& label) {
  std::vector<std::set<std::string>> open;  // names of the objects that enclose the present place
  const auto watch = [&](int, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::object_start) open.emplace_back();
    if (event == json::parse_event_t::object_end) open.pop_back();
    if (event == json::parse_event_t::key) {
      const bool is_new = open.back().insert(value.get_ref<const std::string&>()).second;
      require<DataError>(is_new, "json", "{}: the name '{}' stands twice in one object", label,
                         value.get_ref<const std::string&>());
    }
    return true;
  };
  try {
    return json::parse(text, watch);
  } catch (const json::parse_error& error) {
    fail<DataError>("json", "{}: not JSON from byte {} on", label, error.byte);
  }
}

}  // namespace edt
