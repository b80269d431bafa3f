#include "launcher/text/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string_view>

#include "core/base/assert.h"

namespace edt {
namespace {

// Three significant digits below 1000, with the largest prefix that keeps the number above 1.
std::string scaled(double value, double base, std::span<const std::string_view> units) {
  std::size_t unit = 0;
  while (std::abs(value) >= base - 0.5 && unit + 1 < units.size()) {
    value /= base;
    ++unit;
  }
  const int decimals = std::abs(value) < 10 ? 2 : std::abs(value) < 100 ? 1 : 0;
  if (unit == 0 && value == std::floor(value)) return fmt::format("{:.0f} {}", value, units[0]);
  return fmt::format("{:.{}f} {}", value, decimals, units[unit]);
}

std::size_t display_width(std::string_view text) {  // UTF-8 code points
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

}  // namespace

std::string human_bytes(double bytes) {
  constexpr std::array<std::string_view, 6> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  return scaled(bytes, 1024, kUnits);
}

std::string human_flops(double flops_per_second) {
  constexpr std::array<std::string_view, 6> kUnits{"FLOP/s",  "kFLOP/s", "MFLOP/s",
                                                   "GFLOP/s", "TFLOP/s", "PFLOP/s"};
  return scaled(flops_per_second, 1000, kUnits);
}

std::string human_count(double count) {
  constexpr std::array<std::string_view, 5> kUnits{"", "k", "M", "G", "T"};
  std::string text = scaled(count, 1000, kUnits);
  if (text.ends_with(' ')) text.pop_back();
  return text;
}

std::string human_rate(double per_second) {
  const bool large = per_second >= 1000 && per_second < 1e12;
  return large ? fmt::format("{:.0f}", per_second) : fmt::format("{:.4g}", per_second);
}

std::string human_percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

std::string counted(std::uint64_t count, std::string_view noun) {
  const std::string_view plural = count == 1 ? "" : noun.ends_with("ch") ? "es" : "s";
  return fmt::format("{} {}{}", count, noun, plural);
}

std::string human_duration(double seconds) {
  constexpr double kForever = 1e10;
  if (!(seconds >= 0 && seconds < kForever)) return "?";
  if (seconds < 1e-3) return fmt::format("{:.0f} us", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  if (seconds >= 100 * 86400.0) return fmt::format("{:.0f} d", seconds / 86400);
  const auto total = static_cast<std::int64_t>(std::llround(seconds));
  const auto days = total / 86400, hours = total / 3600 % 24, minutes = total / 60 % 60;
  if (days > 0) return fmt::format("{} d {} h", days, hours);
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, total % 60);
  return fmt::format("{}:{:02}", minutes, total % 60);
}

void Table::add(std::vector<std::string> row) {
  EDT_ASSERT(row.size() == header_.size());
  rows_.push_back(std::move(row));
}

std::string share_text(double share, int decimals) {
  return fmt::format("{:.{}f}{}", share, decimals, share > 1 ? " (!)" : "");
}

std::string share_percent(double share, int decimals) {
  return fmt::format("{:.{}f} %{}", 100 * share, decimals, share > 1 ? " (!)" : "");
}

bool Table::is_numeric(std::size_t column) const {
  return !rows_.empty() && std::all_of(rows_.begin(), rows_.end(), [&](const auto& row) {
    const std::string& cell = row[column];
    return cell.empty() || cell == "-" || (cell[0] >= '0' && cell[0] <= '9') ||
           ((cell[0] == '-' || cell[0] == '+') && cell.size() > 1 && cell[1] >= '0' &&
            cell[1] <= '9');
  });
}

std::size_t Table::width(std::size_t column) const {
  std::size_t width = display_width(header_[column]);
  for (const auto& row : rows_) width = std::max(width, display_width(row[column]));
  return width;
}

std::string Table::text() const {
  std::string text;
  const auto add_line = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string padding(width(i) - display_width(cells[i]), ' ');
      if (i > 0) line += "  ";
      line += is_numeric(i) ? padding + cells[i] : cells[i] + padding;
    }
    line.resize(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  add_line(header_);
  for (const auto& row : rows_) add_line(row);
  return text;
}

}  // namespace edt
