// Pages in a real browser: they load without an error, and every series is seen.
#include <gmock/gmock-matchers.h>

#include "launcher/page/page.h"
#include "tests/support/browser.h"
#include "tests/support/temp_dir.h"

namespace edt {
namespace {

struct Colour {
  int red, green, blue;
};

Page two_charts() {
  Page page("Seen <b>&amp;</b>");
  page.chart(LineChart{.title = "Lines",
                       .x_label = "ranks",
                       .y_label = "images/s",
                       .x_scale = Scale::kLog2,
                       .y_scale = Scale::kLog2,
                       .series = {{"ideal", {{1, {1}}, {4, {4}}}, true},
                                  {"one", {{1, {1, 0.9, 1.2}}, {4, {3}}}},
                                  {"two", {{1, {0.5}}, {4, {1.5}}}}}});
  page.chart(BarChart{.title = "Bars",
                      .groups = {"a", "b"},
                      .series = {{"one", {{1}, {2}}}, {"two", {{2}, {1}}}, {"three", {{1}, {1}}}}});
  return page;
}

void expect_seen(bool dark, const std::vector<Colour>& colours) {
  const test::TempDir directory;
  two_charts().write(directory / "page.html");
  const test::BrowserView view = test::open_in_browser(directory / "page.html", 1200, dark);
  EXPECT_EQ(view.errors, "");
  EXPECT_THAT(view.document, testing::HasSubstr("<h1>Seen &lt;b&gt;&amp;amp;&lt;/b&gt;</h1>"));
  for (const Colour& c : colours) {
    EXPECT_GT(test::count_colour(view.picture, c.red, c.green, c.blue), 200)
        << c.red << " " << c.green << " " << c.blue;
  }
}

TEST(PageInBrowser, EverySeriesIsSeenInLight) {
  if (!test::has_browser()) GTEST_SKIP() << "no browser is installed";
  expect_seen(false,
              {{0xfc, 0xfc, 0xfb}, {0x2a, 0x6f, 0xd0}, {0xd9, 0x62, 0x2b}, {0x17, 0x87, 0x6d}});
}

TEST(PageInBrowser, EverySeriesIsSeenInDark) {
  if (!test::has_browser()) GTEST_SKIP() << "no browser is installed";
  expect_seen(true,
              {{0x19, 0x19, 0x18}, {0x6b, 0xa4, 0xf5}, {0xf0, 0x8a, 0x55}, {0x41, 0xbd, 0x9b}});
}

}  // namespace
}  // namespace edt
