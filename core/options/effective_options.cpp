// The configuration that is in effect, as INI and JSON, and how it differs from an earlier one.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/options/option_names.h"
#include "core/options/options.h"
#include "core/options/renamed.h"

namespace edt {

std::vector<OptionChange> OptionSet::changes_since(const IniFile& earlier) const {
  std::vector<OptionChange> changes;
  for (const auto& option : options_) {
    if (!in_configuration(*option)) continue;
    const auto is_its = [&](const IniEntry& entry) {
      return entry.key == option->name_ || present_name(command_, entry.key) == option->name_;
    };
    const auto entry = std::ranges::find_if(earlier.entries, is_its);
    const std::string& before =
        entry != earlier.entries.end() ? entry->value : option->default_now_;
    const std::string after = option->field_->text();
    if (option->field_->is(before)) continue;
    // A value that was not given is what its default stands for.
    const auto shown = [&](const std::string& value) {
      const bool stands = value == "none" && !option->default_shown_.empty();
      return stands ? option->default_shown_ : value;
    };
    changes.push_back({option->name_, shown(before), shown(after), !option->free_to_change_});
  }
  return changes;
}

std::string OptionSet::ini_of(bool changes_only) const {
  std::vector<std::string> order;
  std::vector<std::string> bodies;
  const auto body_of = [&](const std::string& section) -> std::string& {
    const auto found = std::find(order.begin(), order.end(), section);
    if (found != order.end()) return bodies[static_cast<std::size_t>(found - order.begin())];
    order.push_back(section);
    return bodies.emplace_back();
  };
  body_of("");  // keys without a section come first
  for (const auto& option : options_) {
    if (!in_configuration(*option)) continue;
    if (changes_only && option->has_default()) continue;
    const std::string section = section_of(option->name_);
    const auto key = option->name_.substr(section.empty() ? 0 : section.size() + 1);
    body_of(section) += fmt::format("{} = {}\n", key, ini_value(option->field_->text()));
  }
  std::string text = bodies[0];
  for (std::size_t i = 1; i < order.size(); ++i) {
    text += fmt::format("{}[{}]\n{}", text.empty() ? "" : "\n", order[i], bodies[i]);
  }
  return text;
}

nlohmann::ordered_json OptionSet::to_json() const {
  auto json = nlohmann::ordered_json::object();
  for (const auto& option : options_) {
    if (!in_configuration(*option)) continue;
    std::string pointer = "/" + option->name_;
    std::replace(pointer.begin(), pointer.end(), '.', '/');
    json[nlohmann::ordered_json::json_pointer(pointer)] = option->field_->json();
  }
  return json;
}

}  // namespace edt
