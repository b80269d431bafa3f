#include "launcher/quality/spread.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/median.h"
#include "launcher/watch/wording.h"

namespace edt {

std::optional<Spread> spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  const auto [low, high] = std::ranges::minmax(values);
  return Spread{median(values), low, high, values.size()};
}

std::string number_text(double value, int digits) {
  if (std::abs(value) < 999.5 || std::abs(value) >= 1e9)
    return fmt::format("{:.{}g}", value, digits);
  const double unit =
      std::pow(10, std::floor(std::log10(std::abs(value))) + 1 - std::max(digits, 4));
  return thousands(std::llround(std::round(value / unit) * unit));
}

std::string spread_text(const std::optional<Spread>& spread, const char* bound) {
  if (!spread) return "-";
  const std::string text = (spread->is_bound ? bound : "") + number_text(spread->middle);
  if (spread->count == 1) return text;
  return fmt::format("{} ({} to {})", text, number_text(spread->low), number_text(spread->high));
}

nlohmann::ordered_json spread_json(const std::optional<Spread>& spread) {
  if (!spread) return nullptr;
  return {{"median", spread->middle},
          {"least", spread->low},
          {"most", spread->high},
          {"runs", spread->count},
          {"bound", spread->is_bound}};
}

}  // namespace edt
