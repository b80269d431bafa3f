// One self-contained HTML page: text, tables, pictures and SVG charts, readable in light and dark.
// It loads nothing and runs no script. Every text is escaped; the page is well-formed XML as well.
//
//   Page page("Training speed");
//   page.heading("EDT-S/2").paragraph("Medians of 9 rounds.");
//   page.table({"model", "images/s"}, {{"EDT-S/2", "4.0"}});
//   page.chart(LineChart{...}).chart(BarChart{...});
//   page.write("speed.html");
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launcher/page/chart.h"

namespace edt {

class Page {
 public:
  explicit Page(std::string title) : title_(std::move(title)) {}

  Page& heading(std::string_view text);
  Page& paragraph(std::string_view text);
  // Text as it stands, in a fixed-width font: commands, logs.
  Page& preformatted(std::string_view text);
  // Rows have as many cells as the header. Columns of numbers are aligned right.
  Page& table(const std::vector<std::string>& header,
              const std::vector<std::vector<std::string>>& rows);
  Page& chart(const LineChart& chart);
  Page& chart(const BarChart& chart);
  // Names and what they stand for, one below the other.
  Page& facts(const std::vector<std::pair<std::string, std::string>>& facts);
  // A PNG file, which becomes part of the page.
  Page& picture(std::string_view png, std::string_view caption);
  // Readers load the page again after so many seconds.
  Page& refresh(double seconds);

  std::string html() const;
  // Complete or absent. Throws SystemError.
  void write(const std::filesystem::path& path) const;

 private:
  std::string title_, body_, refresh_;
};

// Text as it may stand between tags and in attribute values. Control characters, which XML has no
// way to write, become U+FFFD.
std::string escape_html(std::string_view text);

}  // namespace edt
