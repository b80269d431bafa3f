#include "launcher/plan/cluster_file.h"

#include <gmock/gmock-matchers.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string kGood =
    "[cluster]\nname = x\nnodes = 2\ndevices = 4\n"
    "[device]\nmemory = 80\nfloat32 = 100\nbf16 = 200\nmemory-bandwidth = 2000\n"
    "[intra]\nlatency = 5\nbandwidth = 100\n[inter]\nbandwidth = 10\n";

class ClusterFile : public testing::Test {
 protected:
  std::string write(const std::string& text, const std::string& name = "c.ini") {
    test::write_text(directory_ / name, text);
    return (directory_ / name).string();
  }
  std::string refusal(const std::string& text) {
    return test::message_of<UsageError>([&] { read_cluster(write(text)); });
  }
  // `line` in place of the one that begins alike.
  static std::string with(const std::string& line) {
    const std::string key = line.substr(0, line.find(" =") + 2);
    std::string text = kGood;
    const auto at = text.find("\n" + key) + 1;
    return text.replace(at, text.find('\n', at) - at, line);
  }

  const test::TempDir directory_;
};

TEST_F(ClusterFile, UnitsBecomeSeconds) {
  const Cluster cluster = read_cluster(write(kGood));
  EXPECT_EQ(cluster.ranks(), 8);
  EXPECT_EQ(cluster.memory, 80.0 * (1 << 30));
  EXPECT_DOUBLE_EQ(cluster.intra.latency, 5e-6);
  EXPECT_DOUBLE_EQ(cluster.intra.bandwidth, 100e9);
  EXPECT_DOUBLE_EQ(cluster.bf16_rate, 200e12);
}

TEST_F(ClusterFile, EveryPresetIsRead) {
  EXPECT_THAT(cluster_presets(), testing::IsSupersetOf({"8xa100", "8xh100", "2xzen3"}));
  for (const std::string& name : cluster_presets())
    EXPECT_GE(read_cluster(name).ranks(), 1) << name;
}

TEST_F(ClusterFile, MalformedOnesAreRefusedWithLineAndKey) {
  EXPECT_THAT(refusal(with("nodes = many")),
              AllOf(HasSubstr("c.ini:3"), HasSubstr("cluster.nodes"), HasSubstr("many")));
  EXPECT_THAT(refusal(with("devices = 0")),
              AllOf(HasSubstr("c.ini:4"), HasSubstr("cluster.devices")));
  EXPECT_THAT(refusal(with("memory = -1")),
              AllOf(HasSubstr("c.ini:6"), HasSubstr("device.memory")));
  EXPECT_THAT(refusal(with("memory = nan")),
              AllOf(HasSubstr("c.ini:6"), HasSubstr("device.memory")));
  EXPECT_THAT(
      refusal(kGood + "bandwith = 3\n"),
      AllOf(HasSubstr("c.ini:15"), HasSubstr("inter.bandwith"), HasSubstr("inter.bandwidth")));
  EXPECT_THAT(refusal("[cluster]\nname = x\n"), HasSubstr("cluster.nodes"));
  EXPECT_THAT(refusal(kGood + "]\n"), HasSubstr("c.ini:15"));
  EXPECT_THAT(refusal(with("bandwidth = 0")), HasSubstr("intra.bandwidth is 0"));
  EXPECT_THAT(refusal(kGood + "bytes = 1,2\nexchange = 1\nreduce = 1,2\n"),
              AllOf(HasSubstr("c.ini:15"), HasSubstr("2 sizes, exchange 1")));
  EXPECT_THAT(refusal(kGood + "bytes = 2,1\nexchange = 1,1\nreduce = 1,2\n"),
              AllOf(HasSubstr("c.ini:15"), HasSubstr("1 after 2")));
  EXPECT_THAT(refusal(kGood + "[kernels]\ntable = none.tsv\n"), HasSubstr("none.tsv"));
  EXPECT_THAT(test::message_of<UsageError>([] { read_cluster("8xh10"); }), HasSubstr("8xh100"));
}

TEST_F(ClusterFile, FailuresAndStorageCountTogether) {
  const std::string failures = "[failures]\ndevice-hours = 100\n", restart = "restart = 60\n",
                    storage = "[storage]\nbandwidth = 100\nnode-bandwidth = 5\noperations = 1000\n";
  EXPECT_THAT(refusal(kGood + failures),
              AllOf(HasSubstr("c.ini:16"), HasSubstr("failures.device-hours is said, and "
                                                     "storage.bandwidth is not")));
  EXPECT_THAT(refusal(kGood + storage + failures + restart),
              HasSubstr("failures.device-hours is said, and storage.staging is not"));
  EXPECT_THAT(refusal(kGood + storage + "staging = 20\n"),
              HasSubstr("storage.bandwidth is said, and failures.device-hours is not"));
  EXPECT_THAT(refusal(kGood + "[failures]\n" + restart), HasSubstr("failures.restart is said"));
  const Cluster cluster = read_cluster(write(kGood + storage + "staging = 20\n" + failures));
  EXPECT_TRUE(cluster.storage.is_known());
  EXPECT_EQ(cluster.device_failure, 360000);
}

TEST_F(ClusterFile, KernelTablesAreRefusedWithTheirLine) {
  const auto refused = [](const char* text) {
    return test::message_of<UsageError>([&] { parse_kernel_times(text, "k.tsv"); });
  };
  EXPECT_THAT(refused("# c\n1e-3 linear\n"), HasSubstr("k.tsv:2"));
  EXPECT_THAT(refused("1e-3\tlinear\nx\tmlp\n"), AllOf(HasSubstr("k.tsv:2"), HasSubstr("mlp")));
  EXPECT_THAT(refused("-1\tlinear\n"), HasSubstr("k.tsv:1"));
  EXPECT_THAT(refused("inf\tlinear\n"), HasSubstr("k.tsv:1"));
  EXPECT_THAT(refused("1\tlinear\n2\tlinear\n"), AllOf(HasSubstr("k.tsv:2"), HasSubstr("twice")));
}

TEST_F(ClusterFile, WhatIsWrittenIsReadAgain) {
  Cluster cluster = read_cluster(write(kGood));
  cluster.intra.bytes = {1, 2.5};
  cluster.intra.exchange_seconds = {1e-6, 2e-6};
  cluster.intra.reduce_seconds = {3e-6, 4e-6};
  cluster.measured.seconds["linear f32 1:2"] = 0.125;
  cluster.measured.seconds_per_byte["copy"] = 0.5;
  write_cluster(cluster, directory_ / "again.ini");
  const Cluster again = read_cluster((directory_ / "again.ini").string());
  EXPECT_EQ(again.intra.bytes, cluster.intra.bytes);
  EXPECT_EQ(again.intra.reduce_seconds, cluster.intra.reduce_seconds);
  EXPECT_EQ(again.measured.seconds, cluster.measured.seconds);
  EXPECT_EQ(again.measured.seconds_per_byte, cluster.measured.seconds_per_byte);
  EXPECT_DOUBLE_EQ(again.memory, cluster.memory);
  EXPECT_DOUBLE_EQ(again.inter.bandwidth, cluster.inter.bandwidth);
}

}  // namespace
}  // namespace edt
