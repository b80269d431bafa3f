// Other users, groups and permissions: lines that say whose it is, and who asks.
#include <unistd.h>

#include "tests/launcher/run_cli/shell_run.h"

namespace edt::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

namespace fs = std::filesystem;

class Permissions : public ShellRun {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root can be several users";
    if (shell("setpriv --reuid 65534 --regid 65534 --clear-groups " + program_ +
              " --version >/dev/null 2>&1")
            .status != 0) {
      GTEST_SKIP() << "the program cannot be run as user 65534 here";
    }
    trained(2);
    ASSERT_EQ(shell("chmod 755 " + path_).status, 0);
  }
  // As another user, in groups that are named by number; in the test's directory.
  CommandOutcome as_nobody(const std::string& arguments, const std::string& groups = "") const {
    const std::string as = groups.empty() ? " --clear-groups " : " --groups " + groups + " ";
    return shell("cd " + path_ + " && setpriv --reuid 65534 --regid 65534" + as + program_ + " " +
                 arguments + " 2>&1");
  }
  std::string denied(const std::string& arguments, int status = 2) const {
    const auto outcome = as_nobody(arguments);
    EXPECT_EQ(outcome.status, status) << outcome.output;
    EXPECT_EQ(std::count(outcome.output.begin(), outcome.output.end(), '\n'), 1) << outcome.output;
    return outcome.output;
  }
  void change_mode(const std::string& mode, const std::string& what) const {
    ASSERT_EQ(shell("cd " + path_ + " && chmod -R " + mode + " " + what).status, 0);
  }
  const std::string& program_ = edt_program();
  const std::string go_on_ = "train --quiet --run.dir run --steps 3 ";
};

TEST_F(Permissions, ARunDirectoryThatCannotBeWritten) {
  EXPECT_THAT(denied(go_on_),
              AllOf(HasSubstr(run_ + " is drwxr-xr-x of root:root"), HasSubstr("this is nobody")));
  EXPECT_THAT(denied("train --quiet --config run/config.ini --run.dir new"),
              AllOf(HasSubstr(path_ + "/new"), HasSubstr("of root:root, this is nobody")));
}

TEST_F(Permissions, ARunDirectoryThatCannotBeRead) {
  change_mode("o-rwx", "run");
  EXPECT_THAT(denied(go_on_ + "--data data"), HasSubstr(run_ + " is drwxr-x---"));
  EXPECT_THAT(denied("sample --quiet --checkpoint run --classes 1 --out /tmp/x.png"),
              HasSubstr(run_ + " is drwxr-x---"));
  EXPECT_THAT(denied("ckpt info run"), HasSubstr(run_ + " is drwxr-x---"));
}

// It said "Inappropriate ioctl for device", the error of another call.
TEST_F(Permissions, ADataSetThatCannotBeAdopted) {
  EXPECT_THAT(denied("data adopt data --classes 12"),
              AllOf(HasSubstr(".h5 cannot be written: Permission denied: "),
                    HasSubstr("is -rw-r--r-- of root:root, this is nobody")));
}

TEST_F(Permissions, ADataSetThatCannotBeRead) {
  change_mode("o-rwx", "data");
  EXPECT_THAT(denied("data info data"), HasSubstr(data_ + " is drwxr-x---"));
  change_mode("o+x", "data");
  change_mode("o+r,o-x", "data");
  EXPECT_THAT(denied("data info data"), HasSubstr(data_ + " is drwxr-xr--"));
  ASSERT_EQ(shell("chmod 755 " + data_ + " && chmod 600 " + data_ + "/*.h5").status, 0);
  EXPECT_THAT(denied("data info data"),
              AllOf(HasSubstr(".h5"), HasSubstr("is -rw------- of root:root")));
}

// That is no damage: nothing is set aside, no older one is taken instead.
TEST_F(Permissions, ACheckpointThatCannotBeRead) {
  ASSERT_EQ(shell("chown -R 65534:65534 " + run_ + " && chown root " + run_ +
                  "/checkpoints/step-000002/* && chmod 600 " + run_ +
                  "/checkpoints/step-000002/rank-0000.h5")
                .status,
            0);
  EXPECT_THAT(denied(go_on_), AllOf(HasSubstr("step-000002/rank-0000.h5 cannot be read"),
                                    HasSubstr("is -rw------- of root")));
  EXPECT_TRUE(fs::exists(run_ + "/checkpoints/step-000002"));
  ASSERT_EQ(shell("chown -R 65534:65534 " + run_).status, 0);
  const auto outcome = as_nobody(go_on_);
  EXPECT_EQ(outcome.status, 0) << outcome.output;
}

// Found at the start, not when the first checkpoint is to be written.
TEST_F(Permissions, APartOfARunDirectoryThatCannotBeWritten) {
  ASSERT_EQ(shell("chown 65534:65534 " + run_).status, 0);
  EXPECT_THAT(denied(go_on_),
              AllOf(HasSubstr(run_ + "/tensorboard"), HasSubstr("drwxr-xr-x of root:root")));
}

// A log that somebody else has begun stays beside the new one.
TEST_F(Permissions, ALogOfAnotherUser) {
  ASSERT_EQ(shell("chown -R 65534:65534 " + run_ + " && chown root " + run_ + "/logs/*").status, 0);
  const auto outcome = as_nobody(go_on_);
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_TRUE(fs::exists(run_ + "/logs/rank-00000.log"));
  EXPECT_TRUE(fs::exists(run_ + "/logs/rank-00000.log.1"));
}

// Two people of one group on one directory, as the umask of groups makes it.
TEST_F(Permissions, ADirectoryThatAGroupShares) {
  ASSERT_EQ(shell("chgrp -R 4242 " + run_ + " && chmod -R g+rwX " + run_ + " && find " + run_ +
                  " -type d -exec chmod g+s {} +")
                .status,
            0);
  const auto shared = [&](const std::string& user, int steps) {
    return shell("cd " + path_ + " && umask 002 && setpriv --reuid " + user +
                 " --regid 65534 --groups 4242 " + program_ +
                 " train --quiet --run.dir run --steps " + std::to_string(steps) + " 2>&1");
  };
  int steps = 2;
  for (const char* user : {"65534", "1234", "65534"}) {
    const auto outcome = shared(user, ++steps);
    EXPECT_EQ(outcome.status, 0) << user << ": " << outcome.output;
  }
  EXPECT_EQ(metrics().size(), 5u);
}

}  // namespace
}  // namespace edt::test
