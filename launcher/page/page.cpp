#include "launcher/page/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/archive/iterators/base64_from_binary.hpp>
#include <boost/archive/iterators/transform_width.hpp>
#include <cmath>

#include "core/base/error.h"
#include "core/storage/durable_file.h"
#include "launcher/page/style.h"

namespace edt {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Bytes of the UTF-8 sequence at the begin of `text`; 0 where there is none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const std::size_t length = lead < 0x80                   ? 1
                             : lead >= 0xC2 && lead < 0xE0 ? 2
                             : lead >= 0xE0 && lead < 0xF0 ? 3
                             : lead >= 0xF0 && lead < 0xF5 ? 4
                                                           : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const bool overlong = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xF0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xED && byte(1) >= 0xA0;
  const bool beyond = lead == 0xF4 && byte(1) >= 0x90;
  const bool non_character = lead == 0xEF && byte(1) == 0xBF && byte(2) >= 0xBE;
  return overlong || surrogate || beyond || non_character ? 0 : length;
}

// With its unit, if any; "1. first" is a heading.
bool is_number(const std::string& cell) {
  if (cell.empty()) return true;
  const std::string_view word = std::string_view(cell).substr(0, cell.find(' '));
  return std::string_view("+-0123456789.").find(cell[0]) != std::string_view::npos &&
         !word.ends_with('.');
}

// `bytes` end with a zero, which the encoder looks at.
std::string base64(const std::string& bytes) {
  namespace bits = boost::archive::iterators;
  using Encoder = bits::base64_from_binary<bits::transform_width<const char*, 6, 8>>;
  std::string text(Encoder(bytes.data()), Encoder(bytes.data() + bytes.size()));
  text.append((3 - bytes.size() % 3) % 3, '=');
  return text;
}

std::string table_row(std::string_view tag, const std::vector<std::string>& cells,
                      const std::vector<bool>& numeric) {
  std::string html = "<tr>";
  for (std::size_t i = 0; i < cells.size(); ++i) {
    html += fmt::format("<{0}{1}>{2}</{0}>", tag, numeric[i] ? " class=\"number\"" : "",
                        escape_html(cells[i]));
  }
  return html + "</tr>\n";
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    const char c = text[0];
    const bool control =
        (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
    if (length == 0 || control) {
      escaped += kReplacement;
    } else if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else if (c == '"') {
      escaped += "&quot;";
    } else if (c == '\'') {
      escaped += "&#39;";
    } else {
      escaped += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return escaped;
}

Page& Page::heading(std::string_view text) {
  body_ += fmt::format("<h2>{}</h2>\n", escape_html(text));
  return *this;
}

Page& Page::paragraph(std::string_view text) {
  body_ += fmt::format("<p>{}</p>\n", escape_html(text));
  return *this;
}

Page& Page::preformatted(std::string_view text) {
  body_ += fmt::format("<pre>{}</pre>\n", escape_html(text));
  return *this;
}

Page& Page::table(const std::vector<std::string>& header,
                  const std::vector<std::vector<std::string>>& rows) {
  std::vector<bool> numeric(header.size(), !rows.empty());
  for (const auto& row : rows) {
    require(row.size() == header.size(), "page", "a row of a table has {} cells, its header {}",
            row.size(), header.size());
    for (std::size_t i = 0; i < row.size(); ++i) numeric[i] = numeric[i] && is_number(row[i]);
  }
  body_ += "<div class=\"scroll\"><table>\n<thead>" + table_row("th", header, numeric) +
           "</thead>\n<tbody>\n";
  for (const auto& row : rows) body_ += table_row("td", row, numeric);
  body_ += "</tbody>\n</table></div>\n";
  return *this;
}

Page& Page::chart(const LineChart& chart) {
  body_ += to_html(chart);
  return *this;
}

Page& Page::chart(const BarChart& chart) {
  body_ += to_html(chart);
  return *this;
}

Page& Page::facts(const std::vector<std::pair<std::string, std::string>>& facts) {
  body_ += "<dl class=\"facts\">\n";
  for (const auto& [name, text] : facts) {
    body_ += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escape_html(name), escape_html(text));
  }
  body_ += "</dl>\n";
  return *this;
}

Page& Page::picture(std::string_view png, std::string_view caption) {
  const std::string text = escape_html(caption);
  body_ += fmt::format(
      "<figure><img alt=\"{0}\" src=\"data:image/png;base64,{1}\"/>\n"
      "<figcaption>{0}</figcaption></figure>\n",
      text, base64(std::string(png)));
  return *this;
}

Page& Page::refresh(double seconds) {
  refresh_ = fmt::format("<meta http-equiv=\"refresh\" content=\"{:.0f}\"/>\n",
                         std::max(std::ceil(seconds), 1.0));
  return *this;
}

std::string Page::html() const {
  const std::string title = escape_html(title_);
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "{3}<title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n{2}</body>\n"
      "</html>\n",
      title, kPageStyle, body_, refresh_);
}

void Page::write(const std::filesystem::path& path) const { write_text_atomically(path, html()); }

}  // namespace edt
