#include "launcher/train/spike_detector.h"

#include <gmock/gmock-matchers.h>

#include "parallel/comm/self/self_communicator.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

using testing::StartsWith;

SpikeDetector learnt(int steps) {
  SpikeDetector detector(5, 20);
  for (int i = 0; i < steps; ++i) detector.accept(1 + 0.01 * (i % 3), 2 + 0.1 * (i % 2));
  return detector;
}

TEST(SpikeDetector, NamesWhatStandsOut) {
  const SpikeDetector detector = learnt(30);
  EXPECT_EQ(detector.judge(1.03, 2.2), "");
  EXPECT_EQ(detector.judge(0.1, 0.1), "") << "lower is no spike";
  EXPECT_THAT(detector.judge(1.2, 2), StartsWith("loss 1.2 is "));
  EXPECT_THAT(detector.judge(1, 9), StartsWith("gradient norm 9 is "));
}

TEST(SpikeDetector, JudgesOnlyWhatItKnows) {
  EXPECT_EQ(learnt(9).judge(100, 100), "");
  EXPECT_NE(learnt(10).judge(100, 100), "");
  EXPECT_EQ(SpikeDetector(0, 20).judge(1e9, 1e9), "") << "off";
}

TEST(SpikeDetector, TenInARowAreANewLevel) {
  SpikeDetector detector = learnt(30);
  for (int i = 0; i < 10; ++i) {
    EXPECT_NE(detector.judge(2, 2), "") << i;
    detector.reject();
  }
  EXPECT_EQ(detector.judge(2, 2), "");
}

TEST(SpikeDetector, ALossThatStandsStillIsNotAllSpikes) {
  SpikeDetector detector(5, 10);
  for (int i = 0; i < 10; ++i) detector.accept(1, 1);
  EXPECT_EQ(detector.judge(1.004, 1), "");
  EXPECT_NE(detector.judge(1.006, 1), "");
}

TEST(SpikeDetector, GoesOnFromTheMetrics) {
  test::TempDir directory;
  std::string metrics;
  for (int i = 0; i < 30; ++i) {
    metrics += fmt::format("{{\"step\":{},\"loss\":{},\"grad_norm\":{}}}\n", i + 1,
                           1 + 0.01 * (i % 3), 2 + 0.1 * (i % 2));
  }
  metrics += "{\"step\":31,\"loss\":50,\"grad_norm\":2,\"rejected\":\"loss 50\"}\n";
  metrics += "{\"step\":32,\"loss\":70,\"grad_norm\":2}\n";
  test::write_text(directory / "metrics.jsonl", metrics);
  SpikeDetector detector(5, 20);
  detector.resume(directory / "metrics.jsonl", 32, *make_self_communicator());
  EXPECT_EQ(detector.judge(1.2, 2), learnt(30).judge(1.2, 2)) << "to the last digit";
}

}  // namespace
}  // namespace edt
