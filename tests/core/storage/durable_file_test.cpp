#include "core/storage/durable_file.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <limits>

#include "core/storage/access.h"
#include "core/storage/checksum.h"
#include "tests/core/storage/expect_error.h"
#include "tests/support/temp_dir.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

TEST(DurableFile, AppearsOnlyWhenCommitted) {
  const test::TempDir directory;
  {
    DurableFile file(directory / "a.txt");
    file.write("half");
    EXPECT_FALSE(fs::exists(directory / "a.txt"));
  }
  EXPECT_TRUE(fs::is_empty(directory.path()));
  write_text_atomically(directory / "a.txt", "whole");
  write_text_atomically(directory / "a.txt", "replaced");
  EXPECT_EQ(read_text(directory / "a.txt"), "replaced");
  EXPECT_EQ(std::distance(fs::directory_iterator(directory.path()), {}), 1);
}

TEST(DurableFile, FailuresNamePathAndReason) {
  const test::TempDir directory;
  EXPECT_ERROR(DurableFile(directory / "no" / "a.txt"), SystemError, "no/", "No such file");
  // Bad input, as is what may not be read and what is no file.
  EXPECT_ERROR(read_text(directory / "b.txt"), DataError, "b.txt", "does not exist");
  EXPECT_ERROR(read_text(directory / "a.txt" / "b"), DataError, "a.txt/b", "does not exist");
  EXPECT_ERROR(read_text(directory.path()), DataError, "is a directory");
  EXPECT_ERROR(read_text(directory / std::string(300, 'n')), DataError, "File name too long");
  EXPECT_ERROR(
      require_free_space(directory.path(), std::numeric_limits<std::uint64_t>::max(), "it"),
      DiskError, "it in", "are free");
  write_text_atomically(directory / "long.txt", "0123456789");
  EXPECT_ERROR(read_text(directory / "long.txt", 4), DataError, "larger than 4 bytes");
  EXPECT_ERROR(make_directories(directory / "long.txt"), SystemError, "long.txt");
}

// A pipe stands for devices too: /dev/stdout, /dev/null.
TEST(DurableFile, DevicesStayAndLinksLead) {
  const test::TempDir directory;
  const fs::path pipe = directory / "pipe", link = directory / "latest", file = directory / "a.txt";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  fs::create_symlink("pipe", directory / "to_pipe");
  EXPECT_ERROR(write_text_atomically(pipe, "x"), SystemError, "pipe is no regular file");
  EXPECT_ERROR(write_text_atomically(directory / "to_pipe", "x"), SystemError, "to_pipe is no");
  write_text_atomically(file, "old");
  EXPECT_ERROR(PartialFile{pipe}, SystemError, "pipe is no regular file");
  EXPECT_ERROR(rename_durably(file, pipe), SystemError, "pipe is no regular file");
  EXPECT_TRUE(fs::is_fifo(pipe));
  fs::create_symlink("a.txt", link);
  write_text_atomically(link, "new");
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(read_text(file), "new");
}

// Nothing takes the place of a link: what it names is made, where there is a directory for it.
TEST(DurableFile, LinksThatLeadToNoFileYetAreWrittenThrough) {
  const test::TempDir directory;
  const fs::path link = directory / "link", chain = directory / "chain", far = directory / "far";
  fs::create_directory(directory / "disk");
  fs::create_symlink("disk/a.txt", link);
  fs::create_symlink("link", chain);
  require_writable(chain, "--out");
  write_text_atomically(chain, "new");
  EXPECT_TRUE(fs::is_symlink(link) && fs::is_symlink(chain));
  EXPECT_EQ(read_text(directory / "disk/a.txt"), "new");

  fs::create_symlink(directory / "nowhere" / "b.txt", far);
  EXPECT_ERROR(require_writable(far, "--out"), UsageError, "--out", "far",
               "nowhere, where the link");
  EXPECT_ERROR(write_text_atomically(far, "x"), SystemError, "nowhere");
  EXPECT_TRUE(fs::is_symlink(far));

  const fs::path ring = directory / "ring";
  fs::create_symlink("ring", ring);
  EXPECT_ERROR(require_writable(ring, "--out"), UsageError, "--out", "ring");
  EXPECT_ERROR(write_text_atomically(ring, "x"), SystemError, "ring");
  EXPECT_TRUE(fs::is_symlink(ring));

  fs::create_symlink("gone", directory / "folder");
  EXPECT_ERROR(require_directory(directory / "folder", "--out"), UsageError, "--out",
               "is a link to gone, which is not there");
  EXPECT_ERROR(require_directory(directory / "folder" / "below", "--out"), UsageError, "gone");
}

TEST(DurableFile, UnwritablePlacesAreRefusedBeforeTheWork) {
  const test::TempDir directory;
  require_writable({}, "--out");
  require_writable(directory / "new.txt", "--out");
  write_text_atomically(directory / "old.txt", "old");
  require_writable(directory / "old.txt", "--out");
  EXPECT_ERROR(require_writable(directory.path(), "--out"), UsageError, "--out", "is a directory");
  EXPECT_ERROR(require_writable("/dev/null", "--out"), UsageError, "/dev/null: is no regular file");
  EXPECT_ERROR(require_writable(directory / "no" / "a.txt", "--out"), UsageError, "a.txt",
               "there is no directory");
  EXPECT_ERROR(require_writable(directory / "old.txt" / "a.txt", "--out"), UsageError,
               "there is no directory");
  EXPECT_ERROR(require_writable("/proc/a.txt", "--out"), UsageError, "/proc takes no files");
  EXPECT_ERROR(require_writable(directory / std::string(250, 'a'), "--out"), UsageError,
               "takes no files");

  require_directory(directory.path(), "--out");
  require_directory(directory / "not/yet/there", "--out");
  EXPECT_FALSE(fs::exists(directory / "not"));
  EXPECT_ERROR(require_directory("", "--out"), UsageError, "--out", "has no name");
  EXPECT_ERROR(require_directory(directory / "old.txt", "--out"), UsageError, "--out",
               "old.txt is not a directory");
  EXPECT_ERROR(require_directory(directory / "old.txt" / "a", "--out"), UsageError,
               "old.txt is not a directory");
  EXPECT_ERROR(require_directory("/proc/a/b", "--out"), UsageError, "/proc takes no files");
  EXPECT_EQ(std::distance(fs::directory_iterator(directory.path()), {}), 1) << "nothing is left";
}

// A limit on file sizes fails writes as a full disk does, and needs no mount.
TEST(DurableFile, WriteThatDoesNotFitKeepsTheOldFile) {
  const test::TempDir directory;
  write_text_atomically(directory / "a.txt", "old");
  signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{1 << 16, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_ERROR(write_text_atomically(directory / "a.txt", std::string(1 << 20, 'x')), DiskError,
               "a.txt", "File too large");
  setrlimit(RLIMIT_FSIZE, &old);
  EXPECT_EQ(read_text(directory / "a.txt"), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(directory.path()), {}), 1);
}

TEST(Checksum, KnownValuesAndStreaming) {
  // XXH3_64bits of the empty input, from the xxHash specification.
  EXPECT_EQ(checksum_text(checksum({})), "2d06800538d394c2");
  std::string text(1000, 'a');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7);
  const auto bytes = std::as_bytes(std::span(text));
  StreamingChecksum streaming;
  streaming.add(bytes.first(1));
  streaming.add(bytes.subspan(1, 700));
  streaming.add(bytes.subspan(701));
  EXPECT_EQ(streaming.value(), checksum(bytes));
  EXPECT_EQ(parse_checksum(checksum_text(streaming.value())), streaming.value());
  EXPECT_ERROR(parse_checksum("12345"), DataError, "'12345'");
  EXPECT_ERROR(parse_checksum("g234567890123456"), DataError, "g234567890123456");
}

}  // namespace
}  // namespace edt
