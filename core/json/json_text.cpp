#include "core/json/json_text.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "core/base/error.h"

namespace edt {
namespace {

std::string not_json_from(std::size_t byte) {
  return fmt::format("not JSON from byte {} on", byte);
}

template <class Json>
Json try_parse(std::string_view text, std::string* fault) {
  try {
    return Json::parse(text);
  } catch (const typename Json::parse_error& error) {
    if (fault != nullptr) *fault = not_json_from(error.byte);
    return Json(Json::value_t::discarded);
  }
}

template <class Json>
std::string dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& label) {
  using nlohmann::json;
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
    fail<DataError>("json", "{}: {}", label, not_json_from(error.byte));
  }
}

nlohmann::json try_parse_json(std::string_view text, std::string* fault) {
  return try_parse<nlohmann::json>(text, fault);
}

nlohmann::ordered_json try_parse_ordered_json(std::string_view text, std::string* fault) {
  return try_parse<nlohmann::ordered_json>(text, fault);
}

std::string dump_json(const nlohmann::json& json, int indent) { return dump(json, indent); }

std::string dump_json(const nlohmann::ordered_json& json, int indent) { return dump(json, indent); }

}  // namespace edt
