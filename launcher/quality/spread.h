// A figure over the seeds of a model: its median, with the least and the most.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace edt {

struct Spread {
  double middle = 0, low = 0, high = 0;  // median, least, most
  std::size_t count = 0;
  bool is_bound = false;  // of one of them only a bound is known, which counts as its value
};
std::optional<Spread> spread_of(std::vector<double> values);

// Three digits; thousands as people write them.
std::string number_text(double value, int digits = 3);
// "0.312 (0.301 to 0.331)", "0.312" of one, "-" of none; `bound` stands in front of one.
std::string spread_text(const std::optional<Spread>& spread, const char* bound = "");
nlohmann::ordered_json spread_json(const std::optional<Spread>& spread);  // null: none

}  // namespace edt
