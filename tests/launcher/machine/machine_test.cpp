#include "launcher/machine/machine.h"

#include <gmock/gmock-matchers.h>
#include <sched.h>

#include <nlohmann/json.hpp>

#include "launcher/machine/cgroup.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

using testing::HasSubstr;

Machine healthy() {
  Machine machine;
  machine.cores_online = machine.cores_usable = machine.openmp_threads = 4;
  machine.native_bf16 = true;
  machine.memory_total = machine.memory_available = std::uint64_t{8} << 30;
  machine.open_files = 1024;
  return machine;
}

template <class Probe>
std::string texts(const Probe& probe) {
  std::string all;
  for (const Finding& finding : findings(probe)) {
    all += (finding.fails ? "FAILS " : "warning ") + finding.text + "\n";
  }
  return all;
}

TEST(Machine, ProbeFindsThisMachine) {
  const Machine machine = probe_machine();
  EXPECT_FALSE(machine.host.empty());
  EXPECT_FALSE(machine.cpu_model.empty());
  EXPECT_GE(machine.cores_usable, 1);
  EXPECT_LE(machine.cores_usable, machine.cores_online);
  EXPECT_GT(machine.memory_available, 0u);
  EXPECT_LE(machine.memory_available, machine.memory_total);
  EXPECT_EQ(to_json(machine)["memory_total_bytes"], machine.memory_total);
}

TEST(Machine, AffinityLimitsTheUsableCores) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(probe_machine().cores_usable, 1);
  sched_setaffinity(0, sizeof before, &before);
}

TEST(Machine, FindingsNameBothValues) {
  EXPECT_EQ(texts(healthy()), "");
  Machine machine = healthy();
  machine.cpu_quota = 1.5;
  EXPECT_THAT(texts(machine), HasSubstr("4 OpenMP threads share 1.5 cores: set OMP_NUM_THREADS=1"));
  machine = healthy();
  machine.openmp_threads = 2;
  EXPECT_THAT(texts(machine), HasSubstr("2 OpenMP threads leave cores idle, 4 are usable"));
  const auto of_two_ranks = findings(machine, 2);
  ASSERT_EQ(of_two_ranks.size(), 0u) << "each has its share";
  machine.openmp_threads = 1;
  EXPECT_THAT(findings(machine, 2).front().text,
              HasSubstr("1 OpenMP thread of each of 2 ranks leaves cores idle, 2 are usable"));
  machine = healthy();
  machine.native_bf16 = false;
  machine.onednn_isa = "avx2";
  EXPECT_THAT(texts(machine), HasSubstr("no native bf16 in oneDNN's avx2"));
  machine = healthy();
  machine.memory_available = 1 << 20;
  EXPECT_THAT(texts(machine), HasSubstr("only 1.00 MiB of memory"));
  machine = healthy();
  machine.open_files = 64;
  EXPECT_THAT(texts(machine), HasSubstr("FAILS at most 64 open files"));
  machine = healthy();
  machine.largest_file = 1 << 30;
  EXPECT_THAT(texts(machine), HasSubstr("limited to 1.00 GiB"));
}

TEST(DirectoryProbe, LeavesNothingBehind) {
  test::TempDir directory;
  const DirectoryProbe probe = probe_directory(directory / "not/yet/there");
  EXPECT_EQ(probe.path, std::filesystem::absolute(directory.path()));
  EXPECT_EQ(probe.write_problem, "");
  EXPECT_EQ(probe.locking_problem, "");
  EXPECT_GT(probe.bytes_free, 0u);
  EXPECT_LE(probe.bytes_free, probe.bytes_total);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(DirectoryProbe, FindsWhatCannotBeWritten) {
  test::TempDir directory;
  test::write_text(directory / "file", "");
  EXPECT_EQ(probe_directory(directory / "file").write_problem, "not a directory");
  EXPECT_NE(probe_directory("/proc/self").write_problem, "");
  DirectoryProbe probe;
  probe.path = "/data";
  probe.write_problem = "Read-only file system";
  EXPECT_THAT(texts(probe), HasSubstr("FAILS /data cannot be written: Read-only file system"));
  probe = {};
  probe.locking_problem = "Function not implemented";
  EXPECT_THAT(texts(probe), HasSubstr("HDF5_USE_FILE_LOCKING=FALSE"));
}

TEST(Cgroup, TightestLimitOnTheWayUp) {
  test::TempDir directory;
  test::write_text(directory / "self", "0::/job/step\n");
  const auto root = directory / "fs";
  test::write_text(root / "job/step/cpu.max", "max 100000\n");
  test::write_text(root / "job/step/memory.max", "max\n");
  test::write_text(root / "job/cpu.max", "150000 100000\n");
  test::write_text(root / "job/memory.max", "1048576\n");
  test::write_text(root / "job/memory.current", "4096\n");
  test::write_text(root / "cpu.max", "400000 100000\n");
  const CgroupLimits limits = cgroup_limits(directory / "self", root);
  EXPECT_EQ(limits.cpus, 1.5);
  EXPECT_EQ(limits.memory, 1048576u);
  EXPECT_EQ(limits.memory_used, 4096u);
}

TEST(Cgroup, VersionOne) {
  test::TempDir directory;
  test::write_text(directory / "self",
                   "9:memory:/job\n4:cpu,cpuacct:/job\nnonsense\n1:name=systemd:/\n");
  const auto root = directory / "fs";
  test::write_text(root / "cpu,cpuacct/job/cpu.cfs_quota_us", "50000\n");
  test::write_text(root / "cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
  test::write_text(root / "cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  test::write_text(root / "memory/memory.limit_in_bytes", "9223372036854771712\n");
  const CgroupLimits limits = cgroup_limits(directory / "self", root);
  EXPECT_EQ(limits.cpus, 0.5);
  EXPECT_FALSE(limits.memory);
}

TEST(Cgroup, NoneIsNoLimit) {
  const CgroupLimits limits = cgroup_limits("/nonexistent", "/nonexistent");
  EXPECT_FALSE(limits.cpus || limits.memory);
}

}  // namespace
}  // namespace edt
