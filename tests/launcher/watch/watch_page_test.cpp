#include "launcher/watch/watch_page.h"

#include <gmock/gmock-matchers.h>

#include "core/image/png.h"
#include "tests/launcher/watch/written_run.h"
#include "tests/support/browser.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

using testing::HasSubstr;
using testing::Not;

int occurrences(const std::string& text, const std::string& part) {
  int count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

class WatchPage : public testing::Test {
 protected:
  void SetUp() override {
    write_run(run_, metrics_text(3000) + metrics_line({.step = 3001, .loss = 77.5}), 4000);
    write_run(other_, metrics_text(500), 4000);
    Image image;
    image.width = image.height = 64;
    image.pixels.assign(64 * 64 * 3, 0);
    for (std::size_t i = 0; i < image.pixels.size(); i += 3) {  // a colour of no chart
      image.pixels[i] = 250;
      image.pixels[i + 1] = 20;
      image.pixels[i + 2] = 220;
    }
    std::filesystem::create_directories(run_ / "samples");
    write_png(run_ / "samples/step-00003000.png", image);
  }

  const test::TempDir directory_;
  const std::filesystem::path run_ = directory_ / "run", other_ = directory_ / "<other>";
};

TEST_F(WatchPage, LongRunsKeepTheirExtremesInFewPoints) {
  const auto charts = watch_page(seen({run_}), std::nullopt).html();
  EXPECT_THAT(charts, HasSubstr("the lowest and the highest of every 4 steps"));
  const auto path = charts.find("class=\"line s0 faint\"");
  ASSERT_NE(path, std::string::npos);
  EXPECT_LT(charts.size(), 700'000u);
  EXPECT_THAT(charts, HasSubstr(">100</text>")) << "the axis reaches the spike at 77.5";
}

TEST_F(WatchPage, RenewsItselfOnlyWhileAsked) {
  EXPECT_THAT(watch_page(seen({run_}), 5.0).html(),
              HasSubstr("<meta http-equiv=\"refresh\" content=\"5\"/>"));
  EXPECT_THAT(watch_page(seen({run_}), std::nullopt).html(), Not(HasSubstr("http-equiv")));
}

TEST_F(WatchPage, MarksSharesAboveTheCeiling) {
  EXPECT_THAT(watch_page(seen({run_, other_}), {}).html(), Not(HasSubstr("(!) above 1")));
  std::string metrics = metrics_text(500);  // one step of many: their mean is below 1
  metrics.replace(metrics.find("\"ceiling_ratio\":0.8"), 19, "\"ceiling_ratio\":1.2");
  write_run(other_, metrics, 4000);
  EXPECT_THAT(watch_page(seen({other_}), {}).html(), HasSubstr("(!) above 1"));
  EXPECT_THAT(watch_page(seen({run_, other_}), {}).html(), HasSubstr("(!) above 1"));
}

TEST_F(WatchPage, ARunWithoutStepsHasAPageToo) {
  test::write_text(directory_ / "new/generation", "1\n");
  EXPECT_THAT(watch_page(seen({directory_ / "new"}), 5.0).html(),
              HasSubstr("No step is recorded yet."));
}

TEST_F(WatchPage, EveryChartIsSeenInABrowser) {
  if (!test::has_browser()) GTEST_SKIP() << "no browser is installed";
  watch_page(seen({run_}), std::nullopt).write(directory_ / "page.html");
  const test::BrowserView view = test::open_in_browser(directory_ / "page.html", 5200);
  EXPECT_EQ(view.errors, "");
  EXPECT_EQ(occurrences(view.document, "<svg"), 6);
  EXPECT_THAT(view.document, HasSubstr("Where the time goes"));
  EXPECT_GT(test::count_colour(view.picture, 0x2a, 0x6f, 0xd0), 1000) << "loss";
  EXPECT_GT(test::count_colour(view.picture, 0xd9, 0x62, 0x2b), 200) << "masked loss";
  EXPECT_GT(test::count_colour(view.picture, 250, 20, 220), 4000) << "the sample picture";
  EXPECT_EQ(occurrences(view.document, "http://") + occurrences(view.document, "https://"), 0);
}

TEST_F(WatchPage, SeveralRunsShareTheirCharts) {
  if (!test::has_browser()) GTEST_SKIP() << "no browser is installed";
  watch_page(seen({run_, other_}), 600.0).write(directory_ / "page.html");
  const test::BrowserView view = test::open_in_browser(directory_ / "page.html", 4200);
  EXPECT_EQ(view.errors, "");
  EXPECT_THAT(view.document, HasSubstr("<h1>run, &lt;other&gt;</h1>"));
  EXPECT_EQ(occurrences(view.document, "<svg"), 6);
  EXPECT_GT(test::count_colour(view.picture, 0x2a, 0x6f, 0xd0), 1000);
  EXPECT_GT(test::count_colour(view.picture, 0xd9, 0x62, 0x2b), 200);
}

}  // namespace
}  // namespace edt
