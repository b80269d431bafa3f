// What is made to try out a directory does not stay there.
#include "core/storage/probe_file.h"

#include <signal.h>
#include <sys/stat.h>

#include "core/storage/durable_file.h"
#include "core/storage/partial_file.h"
#include "tests/core/storage/expect_error.h"
#include "tests/support/temp_dir.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

TEST(ProbeFile, IsThereAsLongAsItIsNeeded) {
  const test::TempDir directory;
  {
    const ProbeFile one(directory.path()), other(directory.path());
    EXPECT_GE(one.descriptor(), 0);
    EXPECT_TRUE(fs::is_regular_file(one.path()));
    EXPECT_NE(one.path(), other.path());
  }
  EXPECT_TRUE(fs::is_empty(directory.path()));
  const ProbeFile none(directory / "no/such");
  EXPECT_EQ(none.descriptor(), -1);
  EXPECT_EQ(none.error(), ENOENT);
  EXPECT_TRUE(none.path().empty());
}

TEST(ProbeFile, GoesWhenASignalEndsTheProgram) {
  const test::TempDir directory;
  const auto interrupted = [&] {
    remove_partial_files_on_signals();
    const ProbeFile file(directory.path());
    if (fs::is_empty(directory.path())) std::_Exit(1);
    raise(SIGTERM);
  };
  EXPECT_EXIT(interrupted(), testing::KilledBySignal(SIGTERM), "");
  EXPECT_TRUE(fs::is_empty(directory.path()));
}

TEST(ProbeFile, ThoseOfProgramsThatWereKilledGoWhenTheyAreOld) {
  const test::TempDir directory;
  const auto killed = [&] {
    const ProbeFile file(directory.path());
    raise(SIGKILL);
  };
  EXPECT_EXIT(killed(), testing::KilledBySignal(SIGKILL), "");
  write_text_atomically(directory / "other", "");
  const auto make_old = [](const fs::path& path) {
    fs::last_write_time(path, fs::last_write_time(path) - std::chrono::hours(2));
  };
  make_old(directory / "other");
  const auto count = [&] {
    return std::distance(fs::directory_iterator(directory.path()), fs::directory_iterator());
  };
  remove_old_probes(directory.path());
  EXPECT_EQ(count(), 2) << "it may be in use";
  for (const auto& entry : fs::directory_iterator(directory.path())) make_old(entry.path());
  remove_old_probes(directory.path());
  EXPECT_EQ(count(), 1);
  EXPECT_TRUE(fs::exists(directory / "other"));
}

}  // namespace
}  // namespace edt
