#include "launcher/watch/frame.h"

#include <gmock/gmock-matchers.h>

#include "launcher/run/run_lock.h"
#include "tests/launcher/watch/written_run.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

class Frame : public testing::Test {
 protected:
  void SetUp() override {
    write_run(run_, metrics_text(100), 400);
    test::write_text(run_ / "outcome.json", "{\"status\":3,\"step\":100,\"what\":\"SIGTERM\"}\n");
  }
  std::vector<std::string> at(int columns, int rows, bool unicode = false) const {
    return frame(seen({run_}), {.columns = columns, .rows = rows, .unicode = unicode}, "footer");
  }

  const test::TempDir directory_;
  const std::filesystem::path run_ = directory_ / "run";
};

// Every line of the head and the foot, as it stands.
TEST_F(Frame, EightyColumns) {
  const auto lines = at(80, 24);
  ASSERT_EQ(lines.size(), 24u);
  EXPECT_EQ(lines[0],
            "run  EDT-S/2 , float32 , cpu , batch 8                                   stopped");
  EXPECT_EQ(lines[1], std::string(73, ' ') + "SIGTERM");
  EXPECT_EQ(lines[2], "step 100 of 400  " + std::string(14, '#') + std::string(43, '.') + "  25 %");
  EXPECT_EQ(lines[3],
            "1.0 s a step , 5:00 left        8 images/s , 0.80 of the ceiling of 2.50 TFLOP/s");
  EXPECT_THAT(lines[5], StartsWith("loss  0.5424   masked 0.5967             gradient norm  0.25"));
  EXPECT_EQ(lines[19],
            "time         compute 90 %   communication 5.0 %   optimizer 3.0 %   other 1.0 %");
  EXPECT_EQ(lines[20], "checkpoints  none yet");
  EXPECT_EQ(lines[21], "samples      none");
  EXPECT_EQ(lines[22], "warnings     none");
  EXPECT_EQ(lines[23], "footer");
}

TEST_F(Frame, MarksAShareAboveTheCeiling) {
  std::string metrics = metrics_text(100);
  for (auto at = metrics.find("\"ceiling_ratio\":0.8"); at != metrics.npos;
       at = metrics.find("\"ceiling_ratio\":0.8", at)) {
    metrics.replace(at, 19, "\"ceiling_ratio\":1.2");
  }
  write_run(run_, metrics);
  EXPECT_THAT(joined(at(114, 60)), HasSubstr("1.20 (!) of an old ceiling"));
}

TEST_F(Frame, SharesEndAtAHundred) {
  const std::string text = joined(at(114, 60));
  EXPECT_THAT(text, HasSubstr("compute, % of the time"));
  EXPECT_THAT(text, Not(HasSubstr("112"))) << text;
}

TEST_F(Frame, FitsEverySize) {
  for (const bool unicode : {false, true}) {
    for (const int columns : {20, 60, 80, 121, 200}) {
      for (const int rows : {3, 10, 24, 33, 60}) {
        const auto lines = at(columns, rows, unicode);
        EXPECT_LE(lines.size(), static_cast<std::size_t>(rows));
        for (const std::string& line : lines) EXPECT_LE(cells_of(line), columns) << line;
      }
    }
  }
}

TEST_F(Frame, WiderTerminalsHaveMorePlots) {
  const auto plots = [&](int columns, int rows) {
    const std::string text = joined(at(columns, rows));
    int count = 0;
    for (const char* title : {"loss  0", "gradient norm", "images/s  8", "share of the ceiling  0",
                              "learning rate", "compute, %"}) {
      count += text.find(title) != std::string::npos;
    }
    return count;
  };
  EXPECT_EQ(plots(60, 24), 1);
  EXPECT_EQ(plots(80, 24), 2);
  EXPECT_EQ(plots(80, 40), 6);
  EXPECT_EQ(plots(200, 24), 3);
  EXPECT_EQ(plots(200, 50), 6);
}

TEST_F(Frame, PlainTextIsAsciiAndColoursAreAskedFor) {
  for (const char c : joined(at(80, 24))) EXPECT_LT(static_cast<unsigned char>(c), 0x80);
  EXPECT_THAT(joined(at(80, 24, true)), Not(HasSubstr("\x1b")));
  const auto coloured =
      frame(seen({run_}), {.columns = 80, .rows = 24, .colours = true, .unicode = true});
  EXPECT_THAT(joined(coloured), HasSubstr("\x1b[0;33mstopped\x1b[0m"));
}

TEST_F(Frame, EscapesOfALogDoNotReachTheTerminal) {
  test::write_text(run_ / "logs/rank-00000.log",
                   "2026-11-23T07:00:09.000 error \x1b[2J\x9b gone\n");
  const std::string text = joined(at(80, 24, true));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, HasSubstr("23 Nov 07:00:09"));
  EXPECT_THAT(text, HasSubstr(" gone"));
}

TEST_F(Frame, ARunWithoutStepsSaysSo) {
  test::write_text(directory_ / "new/generation", "1\n");
  const RunLock lock(directory_ / "new/lock");
  const auto lines = frame(seen({directory_ / "new"}), {.columns = 80, .rows = 24});
  EXPECT_THAT(lines[0], testing::EndsWith("starting"));
  EXPECT_EQ(lines[2], "step 0");
  EXPECT_EQ(lines[3], "no step recorded yet");
  EXPECT_THAT(joined(lines), HasSubstr("no values yet"));
}

TEST_F(Frame, SeveralRunsHaveAColumnEach) {
  write_run(directory_ / "second", metrics_text(50), 400);
  const auto lines = frame(seen({run_, directory_ / "second"}), {.columns = 80, .rows = 30});
  EXPECT_EQ(lines[0], "2 runs                               a: run                     b: second");
  EXPECT_EQ(lines[1], "state                               stopped                          lost");
  EXPECT_EQ(lines[2], "step                                    100                            50");
  const std::string text = joined(lines);
  EXPECT_THAT(text, HasSubstr("a"));
  EXPECT_THAT(text, HasSubstr("loss"));
}

TEST_F(Frame, RunsThatDoNotFitAreCounted) {
  std::vector<std::filesystem::path> runs;
  for (int i = 0; i < 7; ++i) {
    runs.push_back(directory_ / fmt::format("a-long-name-of-a-run-{}", i));
    write_run(runs.back(), metrics_text(10));
  }
  const auto lines = frame(seen(runs), {.columns = 60, .rows = 30});
  EXPECT_THAT(lines[0], HasSubstr("a: ~f-a-run-0"));
  EXPECT_THAT(joined(lines), HasSubstr("4 more runs do not fit here"));
}

TEST(CanvasText, IsCutWithAnEllipsis) {
  Canvas canvas({.columns = 10, .rows = 2, .unicode = true});
  canvas.text(0, 0, "0123456789");
  canvas.text(0, 1, "gr\u00fcne W\u00e4lder");
  EXPECT_THAT(canvas.lines(), ElementsAre("0123456789", "gr\u00fcne W\u00e4l\u2026"));
}

}  // namespace
}  // namespace edt
