#include "core/storage/access.h"

#include <sys/resource.h>

#include <cerrno>

#include "core/storage/durable_file.h"
#include "core/storage/input_file.h"
#include "tests/core/storage/expect_error.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_dir.h"

namespace edt {
namespace {

TEST(Access, TheFirstDirectoryThatIsNotThereIsNamed) {
  const test::TempDir directory;
  const std::string gone = (directory / "gone").string();
  EXPECT_ERROR(write_text_atomically(directory / "gone/further/a", "x"), SystemError,
               "No such file or directory: there is no directory " + gone);
  write_text_atomically(directory / "file", "x");
  EXPECT_ERROR(write_text_atomically(directory / "file/a", "x"), SystemError,
               "there is no directory " + (directory / "file").string());
  // Where only the file is missing there is nothing to add.
  EXPECT_EQ(error_text(ENOENT, directory / "none"), "No such file or directory");
}

TEST(Access, ADeadFileSystemIsOfTheDisk) {
  EXPECT_TRUE(is_disk_trouble(ENOTCONN));
  EXPECT_FALSE(is_disk_trouble(ENOENT));
}

// The limit of this process is not put back, so a copy of it has the lower one.
TEST(Access, TheLimitOfOpenFilesIsWrongUsage) {
  const test::TempDir directory;
  write_text_atomically(directory / "a", "x");
  const int status = test::status_in_child([&] {
    rlimit limit{40, 40};
    setrlimit(RLIMIT_NOFILE, &limit);
    require_open_files(16, "those are");
    EXPECT_ERROR(require_open_files(17, "those are"), UsageError, "those are open at a time",
                 "40 files are allowed", "ulimit -n 41");
    limit = {3, 3};
    setrlimit(RLIMIT_NOFILE, &limit);
    EXPECT_ERROR(InputFile(directory / "a"), UsageError, "Too many open files: 3 at a time",
                 "ulimit -n");
    return testing::Test::HasFailure() ? 1 : 0;
  });
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace edt
