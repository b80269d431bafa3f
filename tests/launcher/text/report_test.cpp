#include "launcher/text/report.h"

#include <gtest/gtest.h>

#include <cmath>

namespace edt {
namespace {

TEST(Report, Bytes) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1536), "1.50 KiB");
  EXPECT_EQ(human_bytes(1048575), "1.00 MiB") << "never 1024 KiB";
  EXPECT_EQ(human_bytes(12.5 * (1 << 30)), "12.5 GiB");
}

TEST(Report, SharesAboveOneHaveAMark) {
  EXPECT_EQ(share_text(0.954), "0.95");
  EXPECT_EQ(share_text(1), "1.00");
  EXPECT_EQ(share_text(1.001), "1.00 (!)");
  EXPECT_EQ(share_text(1.0834, 3), "1.083 (!)");
  EXPECT_EQ(share_percent(0.954), "95.4 %");
  EXPECT_EQ(share_percent(1.08, 0), "108 % (!)");
}

TEST(Report, RatesAndCounts) {
  EXPECT_EQ(human_flops(312.4e9), "312 GFLOP/s");
  EXPECT_EQ(human_flops(1.25e12), "1.25 TFLOP/s");
  EXPECT_EQ(human_flops(9.999e11), "1.00 TFLOP/s");
  EXPECT_EQ(human_count(999), "999");
  EXPECT_EQ(human_count(38.3e6), "38.3 M");
  EXPECT_EQ(human_rate(4.8894), "4.889");
  EXPECT_EQ(human_rate(999.96), "1000");
  EXPECT_EQ(human_rate(10552.6), "10553") << "never 1.055e+04";
  EXPECT_EQ(counted(1, "shard"), "1 shard");
  EXPECT_EQ(counted(0, "micro-batch"), "0 micro-batches");
}

TEST(Report, Durations) {
  EXPECT_EQ(human_duration(0.00035), "350 us");
  EXPECT_EQ(human_duration(0.0126), "13 ms");
  EXPECT_EQ(human_duration(12.34), "12.3 s");
  EXPECT_EQ(human_duration(59.97), "1:00");
  EXPECT_EQ(human_duration(3599.6), "1:00:00");
  EXPECT_EQ(human_duration(7384), "2:03:04");
  EXPECT_EQ(human_duration(3 * 86400 + 4 * 3600), "3 d 4 h");
  EXPECT_EQ(human_duration(NAN), "?");
  EXPECT_EQ(human_duration(1e300), "?") << "nobody waits for that";
}

TEST(Report, ColumnsLineUp) {
  Table table({"op", "time", "share"});
  table.add({"linear", "12.5 ms", "80 %"});
  table.add({"µ", "3 ms", "-"});
  EXPECT_EQ(table.text(),
            "op         time  share\n"
            "linear  12.5 ms   80 %\n"
            "µ          3 ms      -\n");
}

}  // namespace
}  // namespace edt
