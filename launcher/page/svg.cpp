#include "launcher/page/svg.h"

#include <fmt/format.h>

#include <sstream>

#include "launcher/page/page.h"

namespace edt {
namespace {

constexpr double kCharacter = 7;  // mean width of one in the ticks' font

// Broken at spaces into rows of at most `width` characters where words allow.
std::vector<std::string> wrapped(const std::string& text, double width) {
  std::vector<std::string> rows;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const bool joins =
        !rows.empty() && static_cast<double>(rows.back().size() + word.size()) < width;
    if (joins) {
      rows.back() += ' ' + word;
    } else {
      rows.push_back(word);
    }
  }
  return rows;
}

}  // namespace

std::string colour_class(std::size_t series, bool reference) {
  constexpr std::size_t kColours = 8;
  return reference ? "ref" : fmt::format("s{}", series % kColours);
}

void SvgPlot::text(double at_x, double at_y, std::string_view classes, std::string_view content) {
  body_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"{}\">{}</text>\n", at_x, at_y,
                       classes, escape_html(content));
}

void SvgPlot::line(double x1, double y1, double x2, double y2, std::string_view classes) {
  body_ +=
      fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>\n",
                  x1, y1, x2, y2, classes);
}

void SvgPlot::path(const std::vector<std::pair<double, double>>& points, std::string_view classes) {
  std::string data;
  for (const auto& [px, py] : points) {
    data += fmt::format("{}{:.1f} {:.1f}", data.empty() ? "M" : " L", px, py);
  }
  body_ += fmt::format("<path d=\"{}\" class=\"line {}\"/>\n", data, classes);
}

void SvgPlot::circle(double cx, double cy, std::string_view classes, std::string_view tip) {
  body_ += fmt::format(
      "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" class=\"mark {}\"><title>{}</title></circle>\n",
      cx, cy, classes, escape_html(tip));
}

void SvgPlot::bar(double left, double top, double width, double height, std::string_view classes,
                  std::string_view tip) {
  body_ += fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" class=\"mark {}\">"
      "<title>{}</title></rect>\n",
      left, top, width, height, classes, escape_html(tip));
}

void SvgPlot::error_bar(double at, double low, double high, std::string_view classes) {
  constexpr double kCap = 4;
  line(at, y(low), at, y(high), classes);
  for (const double end : {low, high}) line(at - kCap, y(end), at + kCap, y(end), classes);
}

void SvgPlot::y_axis(const Axis& axis, std::string_view label) {
  for (const double tick : axis.ticks()) {
    const double at = y(axis.position(tick));
    line(kLeft, at, kWidth - kRight, at, "grid");
    text(kLeft - 8, at + 4, "tick end", tick_text(tick));
  }
  const double middle = y(0.5);
  body_ += fmt::format(
      "<text x=\"16\" y=\"{0:.1f}\" class=\"label middle\" transform=\"rotate(-90 16 {0:.1f})\">"
      "{1}</text>\n",
      middle, escape_html(label));
}

void SvgPlot::x_axis(const Axis& axis, std::string_view label) {
  line(x(0), y(0), x(1), y(0), "axis");
  for (const double tick : axis.ticks()) {
    const double at = x(axis.position(tick));
    line(at, y(0), at, y(0) + 5, "axis");
    text(at, y(0) + 19, "tick middle", tick_text(tick));
  }
  text(x(0.5), kHeight - 12, "label middle", label);
}

void SvgPlot::x_names(const std::vector<std::string>& names) {
  line(x(0), y(0), x(1), y(0), "axis");
  const auto count = static_cast<double>(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    double at_y = y(0) + 20;
    for (const std::string& row : wrapped(names[i], (x(1) - x(0)) / count / kCharacter)) {
      text(x((static_cast<double>(i) + 0.5) / count), at_y, "tick middle", row);
      at_y += 14;
    }
  }
}

std::string SvgPlot::figure(std::string_view title,
                            const std::vector<std::pair<std::string, std::string>>& legend,
                            std::string_view caption, std::size_t left_out) const {
  std::string html = fmt::format("<figure>\n<h3>{}</h3>\n", escape_html(title));
  if (legend.size() > 1) {
    html += "<p class=\"legend\">";
    for (const auto& [classes, name] : legend) {
      html += fmt::format("<span class=\"entry\"><span class=\"key {}\"></span>{}</span>\n",
                          classes, escape_html(name));
    }
    html += "</p>\n";
  }
  html += fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n{}</svg>\n",
                      kWidth, kHeight, escape_html(title), body_);
  std::string text(caption);
  if (left_out > 0) {
    text += fmt::format("{}Left out, as they cannot be drawn: {} value{}.", text.empty() ? "" : " ",
                        left_out, left_out == 1 ? "" : "s");
  }
  if (!text.empty()) html += fmt::format("<figcaption>{}</figcaption>\n", escape_html(text));
  return html + "</figure>\n";
}

}  // namespace edt
