// Numbers for people, and tables with aligned columns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace edt {

std::string human_bytes(double bytes);                            // "1.50 GiB"
std::string human_flops(double flops_per_second);                 // "312 GFLOP/s"
std::string human_count(double count);                            // "12.3 M"
std::string human_rate(double per_second);                        // "4.889", "10553"
std::string human_percent(double share);                          // "3.1 %"
std::string counted(std::uint64_t count, std::string_view noun);  // "1 shard", "2 shards"
std::string human_duration(double seconds);  // "350 us", "12.3 s", "4:05", "2:03:04", "3 d 4 h"

// A share of a ceiling: "0.95", "95.0 %". One above 1 cannot be and has a mark: "1.08 (!)",
// "108.0 % (!)". kShareNote says what it means.
std::string share_text(double share, int decimals = 2);
std::string share_percent(double share, int decimals = 1);
inline constexpr std::string_view kShareNote =
    "(!) above 1: the machine was slower while the ceiling was taken than in what is compared";

// Columns of numbers are aligned right, others left; the header tells nothing about that.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}

  // As many cells as the header has.
  void add(std::vector<std::string> row);

  std::string text() const;

 private:
  bool is_numeric(std::size_t column) const;
  std::size_t width(std::size_t column) const;

  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace edt
