#include "launcher/train/spike_detector.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/storage/text_lines.h"

namespace edt {
namespace {

constexpr int kInARow = 10;
// A loss that hardly moves has a tiny deviation: a tenth of a percent above it is no spike.
constexpr double kLeastDeviation = 1e-3;

bool is_number(const nlohmann::json& record, const char* name) {
  const auto value = record.find(name);
  return value != record.end() && value->is_number();
}

}  // namespace

SpikeDetector::SpikeDetector(double threshold, std::int64_t window)
    : threshold_(threshold), window_(static_cast<std::size_t>(window)) {}

void SpikeDetector::resume(const std::filesystem::path& metrics, std::int64_t first_step,
                           Communicator& ranks) {
  if (threshold_ == 0) return;
  nlohmann::json kept = nlohmann::json::array();
  if (ranks.is_root() && std::filesystem::exists(metrics)) {
    std::deque<nlohmann::json> last;
    TextLines lines(metrics);
    for (std::string line; lines.next(line);) {
      const auto record = try_parse_json(line);
      if (!record.is_object() || !is_number(record, "step")) continue;  // it is said elsewhere
      if (record["step"].get<std::int64_t>() >= first_step) break;
      const bool counts = !record.contains("rejected") && is_number(record, "loss") &&
                          is_number(record, "grad_norm");
      if (counts) last.push_back({record["loss"], record["grad_norm"]});
      if (last.size() > window_) last.pop_front();
    }
    for (const auto& pair : last) kept.push_back(pair);
  }
  values_.clear();
  rejected_ = 0;
  const std::string text = ranks.broadcast(dump_json(kept), 0, "last losses");
  for (const auto& pair : parse_json(text, "last losses")) {
    values_.push_back({pair[0], pair[1]});
  }
}

std::string SpikeDetector::judge(double value, double Values::*which, std::string_view name) const {
  double mean = 0, square = 0;
  for (const Values& one : values_) mean += one.*which;
  mean /= static_cast<double>(values_.size());
  for (const Values& one : values_) square += (one.*which - mean) * (one.*which - mean);
  const double deviation = std::max(std::sqrt(square / static_cast<double>(values_.size())),
                                    kLeastDeviation * std::abs(mean));
  if (!(value > mean + threshold_ * deviation)) return {};
  return fmt::format("{} {:.4g} is {:.3g} deviations above {:.4g}", name, value,
                     (value - mean) / deviation, mean);
}

std::string SpikeDetector::judge(double loss, double grad_norm) const {
  if (threshold_ == 0 || values_.size() < (window_ + 1) / 2 || rejected_ >= kInARow) return {};
  const std::string of_loss = judge(loss, &Values::loss, "loss");
  return of_loss.empty() ? judge(grad_norm, &Values::grad_norm, "gradient norm") : of_loss;
}

void SpikeDetector::accept(double loss, double grad_norm) {
  rejected_ = 0;
  values_.push_back({loss, grad_norm});
  if (values_.size() > window_) values_.pop_front();
}

}  // namespace edt
