#include "launcher/page/page.h"

#include <gmock/gmock-matchers.h>

#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <cmath>
#include <limits>
#include <sstream>

#include "core/base/error.h"
#include "launcher/page/axis.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

boost::property_tree::ptree parse_xml(const std::string& text) {
  std::istringstream stream(text);
  boost::property_tree::ptree tree;
  boost::property_tree::read_xml(stream, tree);
  return tree;
}

int occurrences(const std::string& text, const std::string& part) {
  int count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(Page, LongNamesOfBarsAreBroken) {
  BarChart chart{.title = "t",
                 .groups = {"a name of several words", "b", "c", "d", "e", "f"},
                 .series = {{"one", {{1}, {2}, {1}, {1}, {1}, {1}}}}};
  EXPECT_THAT(Page("p").chart(chart).html(),
              AllOf(HasSubstr(">a name of</text>"), HasSubstr(">several words</text>")));
}

TEST(Escape, LeavesNothingThatCouldEndATextOrAnAttribute) {
  EXPECT_EQ(escape_html("<a href=\"x\">&'</a>"),
            "&lt;a href=&quot;x&quot;&gt;&amp;&#39;&lt;/a&gt;");
  EXPECT_EQ(escape_html("gr\u00fcn \u2265 \U0001F600"), "gr\u00fcn \u2265 \U0001F600");
}

TEST(Escape, WhatXmlCannotHoldBecomesTheReplacementCharacter) {
  EXPECT_EQ(escape_html(std::string_view("a\0b\x1b[0m\x7f", 8)), "a\uFFFDb\uFFFD[0m\uFFFD");
  EXPECT_EQ(escape_html("\xff|\xc3|\xc0\xaf|\xed\xa0\x80"),
            "\uFFFD|\uFFFD|\uFFFD\uFFFD|\uFFFD\uFFFD\uFFFD")
      << "no UTF-8, cut, overlong, surrogate";
  EXPECT_EQ(escape_html("\xc3"), "\uFFFD") << "cut at the end";
}

Page page_of_everything(const std::string& text) {
  Page page(text);
  page.heading(text).paragraph(text).preformatted(text);
  page.table({text, "n"}, {{text, "1"}, {"x", "2"}});
  page.chart(LineChart{.title = text,
                       .x_label = text,
                       .y_label = text,
                       .caption = text,
                       .series = {{text, {{1, {1}}, {2, {3, 2, 4}}}}, {text, {{1, {1}}}, true}}});
  page.chart(BarChart{.title = text,
                      .y_label = text,
                      .caption = text,
                      .groups = {text, "b"},
                      .series = {{text, {{1, 0.5, 2}, {-1}}}, {text, {{2}, {0}}}}});
  return page;
}

TEST(Page, IsWellFormedWhateverTheTexts) {
  const std::string html = page_of_everything("</svg></style><script>x&\"'\x01\xff").html();
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  const auto tree = parse_xml(html);
  EXPECT_THAT(tree.get<std::string>("html.body.h1"), HasSubstr("</svg></style><script>x&\"'"));
  EXPECT_EQ(tree.get_child("html.body").count("figure"), 2);
}

TEST(Page, LoadsNothing) {
  const std::string html = page_of_everything("t").html();
  for (const char* word : {"src=", "href=", "url(", "@import", "http"}) {
    EXPECT_THAT(html, Not(HasSubstr(word)));
  }
}

TEST(Page, ColumnsOfNumbersAreAlignedRight) {
  Page page("t");
  page.table({"name", "value"}, {{"1 rank", "1.5 s"}, {"x", "-2"}});
  EXPECT_THAT(page.html(), HasSubstr("<th>name</th><th class=\"number\">value</th>"));
}

TEST(Page, NumberedTextsAreTexts) {
  Page page("p");
  page.table({"choice", "step"}, {{"1. one rank", "2 ms"}, {"2. two ranks", "0.5 s"}});
  EXPECT_THAT(page.html(), HasSubstr("<th>choice</th><th class=\"number\">step</th>"));
}

TEST(Page, RowsAndBarsOfAnotherLengthAreRefused) {
  Page page("t");
  EXPECT_EQ(test::message_of<Error>([&] {
              page.table({"a", "b"}, {{"1"}});
            }),
            "[page] a row of a table has 1 cells, its header 2");
  const BarChart chart{.title = "T", .groups = {"a", "b"}, .series = {{"s", {{1}}}}};
  EXPECT_EQ(test::message_of<Error>([&] { page.chart(chart); }),
            "[page] bars s of \"T\" have 1 values, there are 2 groups");
}

TEST(Page, IsWrittenWhole) {
  const test::TempDir directory;
  const Page page = page_of_everything("t");
  page.write(directory / "page.html");
  EXPECT_EQ(test::read_text(directory / "page.html"), page.html());
}

TEST(LineChart, WhatCannotBeDrawnIsLeftOutAndSaid) {
  const LineChart chart{.title = "t",
                        .y_scale = Scale::kLog2,
                        .series = {{"s",
                                    {{1, {1}},
                                     {2, {2}},
                                     {3, {kNan}},
                                     {4, {0}},
                                     {5, {kInfinity}},
                                     {6, {4, kNan, 5}},
                                     {7, {8}},
                                     {8, {1e300}}}}}};
  const std::string html = to_html(chart);
  EXPECT_THAT(html, HasSubstr("Left out, as they cannot be drawn: 4 values."));
  EXPECT_THAT(html, Not(HasSubstr("nan")));
  EXPECT_THAT(html, Not(HasSubstr("inf")));
  EXPECT_EQ(occurrences(html, "<circle"), 4);
  EXPECT_EQ(occurrences(html, "<path"), 2) << "the line breaks where values are missing";
  EXPECT_EQ(occurrences(html, "error"), 0) << "an error bar needs both ends";
}

TEST(LineChart, ReferencesHaveNoMarksAndTakeNoColour) {
  const LineChart chart{.title = "t",
                        .series = {{"ideal", {{1, {1}}, {2, {2}}}, true},
                                   {"seen", {{1, {1, 0.9, 1.1}}, {2, {1.8, 1.7, 1.9}}}}}};
  const std::string html = to_html(chart);
  EXPECT_EQ(occurrences(html, "<circle"), 2);
  EXPECT_THAT(html, HasSubstr("class=\"line ref\""));
  EXPECT_THAT(html, HasSubstr("class=\"line s0\""));
  EXPECT_EQ(occurrences(html, "class=\"error s0\""), 6) << "a bar and two caps each";
}

TEST(LineChart, AFaintSeriesLiesBehindOneOfItsColour) {
  const LineChart chart{
      .title = "t",
      .series = {{.name = "a", .points = {{1, {1}}, {2, {3}}}, .faint = true, .colour = 4},
                 {.name = "a", .points = {{1, {2}}, {2, {2}}}, .marks = false, .colour = 4},
                 {.name = "b", .points = {{1, {1}}, {2, {2}}}, .marks = false}}};
  const std::string html = to_html(chart);
  EXPECT_THAT(html, HasSubstr("class=\"line s4 faint\""));
  EXPECT_THAT(html, HasSubstr("class=\"line s4\""));
  EXPECT_THAT(html, HasSubstr("class=\"line s0\"")) << "the first that nobody chose";
  EXPECT_EQ(occurrences(html, "<circle"), 0);
  EXPECT_EQ(occurrences(html, "class=\"key"), 2);
}

TEST(Page, PicturesArePartOfIt) {
  Page page("t");
  page.picture("Man", "a < b").picture("Ma", "").picture("M", "");
  const std::string html = page.html();
  EXPECT_THAT(html, HasSubstr("alt=\"a &lt; b\" src=\"data:image/png;base64,TWFu\""));
  EXPECT_THAT(html, HasSubstr("base64,TWE=\""));
  EXPECT_THAT(html, HasSubstr("base64,TQ==\""));
  EXPECT_NO_THROW(parse_xml(html));
}

TEST(Page, IsReadAgainOnlyWhereAsked) {
  Page page("t");
  EXPECT_THAT(page.html(), Not(HasSubstr("refresh")));
  page.refresh(0.2);
  EXPECT_THAT(page.html(), HasSubstr("<meta http-equiv=\"refresh\" content=\"1\"/>"));
}

TEST(Page, FactsAreEscaped) {
  Page page("t");
  page.facts({{"a&b", "<c>"}});
  EXPECT_THAT(page.html(), HasSubstr("<dt>a&amp;b</dt><dd>&lt;c&gt;</dd>"));
}

TEST(Charts, EmptyOnesAreDrawnToo) {
  EXPECT_NO_THROW(parse_xml(to_html(LineChart{})));
  EXPECT_NO_THROW(parse_xml(to_html(LineChart{.x_scale = Scale::kLog2, .y_scale = Scale::kLog2})));
  EXPECT_NO_THROW(parse_xml(to_html(BarChart{})));
  EXPECT_NO_THROW(parse_xml(to_html(BarChart{.groups = {"a"}, .series = {{"s", {{kNan}}}}})));
}

TEST(Axis, RoundTicksAroundTheValues) {
  const Axis axis(Scale::kLinear, {0.3, 4.4}, true);
  EXPECT_THAT(axis.ticks(), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_DOUBLE_EQ(axis.position(0), 0);
  EXPECT_DOUBLE_EQ(axis.position(5), 1);
  EXPECT_GE(Axis(Scale::kLinear, {7, 7}, false).ticks().size(), 2u) << "one value has a scale too";
}

TEST(Axis, PowersOfTwo) {
  const Axis axis(Scale::kLog2, {1, 100}, false);
  EXPECT_THAT(axis.ticks(), ElementsAre(1, 2, 4, 8, 16, 32, 64, 128));
  EXPECT_DOUBLE_EQ(axis.position(8), 3.0 / 7);
  EXPECT_LE(Axis(Scale::kLog2, {1e-9, 1e9}, false).ticks().size(), 14u);
}

TEST(Axis, PowersOfTen) {
  const Axis axis(Scale::kLog10, {0.13, 2.6}, true);
  ASSERT_EQ(axis.ticks().size(), 6u) << "0.1 0.2 0.5 1 2 5";
  EXPECT_NEAR(axis.ticks().front(), 0.1, 1e-12);
  EXPECT_NEAR(axis.ticks().back(), 5, 1e-12);
  EXPECT_NEAR(axis.position(0.5), std::log10(5) / std::log10(50), 1e-9);
  EXPECT_NEAR(Axis(Scale::kLog10, {1e-6, 1e4}, false).ticks()[1], 1e-5, 1e-12);
  EXPECT_GE(Axis(Scale::kLog10, {7, 7}, false).ticks().size(), 2u);
}

TEST(Axis, ExtremeValuesKeepItFinite) {
  for (const Scale scale : {Scale::kLinear, Scale::kLog2, Scale::kLog10}) {
    const Axis axis(scale, {1e-90, 1e90}, true);
    EXPECT_LT(axis.ticks().size(), 20u);
    EXPECT_TRUE(std::isfinite(axis.position(1)));
  }
}

TEST(Axis, TickTexts) {
  EXPECT_EQ(tick_text(-0.0), "0");
  EXPECT_EQ(tick_text(4096), "4096");
  EXPECT_EQ(tick_text(0.30000000000000004), "0.3");
  EXPECT_EQ(tick_text(2e9), "2e+09");
}

}  // namespace
}  // namespace edt
