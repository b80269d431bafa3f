// Files that lose their bytes while they are mapped: the real thing, no stand-in.
#include "core/storage/mapping.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <numeric>

#include "core/storage/input_file.h"
#include "tests/core/storage/expect_error.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_dir.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

class MappedFile : public testing::Test {
 protected:
  MappedFile() { std::ofstream(path_, std::ios::binary) << std::string(kBytes, 'x'); }
  static std::size_t sum(std::span<const std::byte> bytes) {
    return std::accumulate(
        bytes.begin(), bytes.end(), std::size_t{0},
        [](std::size_t s, std::byte b) { return s + std::to_integer<std::size_t>(b); });
  }
  static constexpr std::size_t kBytes = 64 << 10;
  const test::TempDir directory_;
  const fs::path path_ = directory_ / "a";
};

TEST_F(MappedFile, CutShortItSaysSoInsteadOfEndingTheProgram) {
  InputFile file(path_), other(path_);
  ASSERT_TRUE(file.map() && other.map());
  EXPECT_EQ(sum(file.mapped(0, kBytes)), kBytes * 'x');
  EXPECT_NO_THROW(file.require_kept());
  fs::resize_file(path_, 20000);
  EXPECT_EQ(sum(file.mapped(0, 20000)), 20000u * 'x');
  EXPECT_NO_THROW(file.require_mapping_kept()) << "nothing that is lost was read";
  EXPECT_ERROR(file.require_kept(), SystemError, "/a", "cut short", "20000 bytes", "had 65536");
  EXPECT_EQ(sum(file.mapped(20000, kBytes - 20000)), 0u);
  EXPECT_ERROR(file.require_mapping_kept(), SystemError, "/a", "cut short", "20000", "65536");
  EXPECT_NO_THROW(other.require_mapping_kept());
  std::vector<std::byte> out(8);
  EXPECT_ERROR(file.read(30000, out), SystemError, "/a", "cut short");
  EXPECT_ERROR(file.read(kBytes, out), DataError, "/a", "truncated");
}

TEST_F(MappedFile, BytesThatCameBackAreStillCalledLost) {
  InputFile file(path_);
  ASSERT_TRUE(file.map());
  fs::resize_file(path_, 0);
  EXPECT_EQ(sum(file.mapped(100, 10)), 0u);
  fs::resize_file(path_, kBytes);
  EXPECT_ERROR(file.require_kept(), SystemError, "/a", "cannot be read any more");
}

TEST_F(MappedFile, PlacesOfEarlierMappingsAreUsedAgain) {
  for (int i = 0; i < 3; ++i) {
    InputFile file(path_);
    ASSERT_TRUE(file.map());
    EXPECT_NO_THROW(file.require_kept());
    if (i == 1) continue;
    fs::resize_file(path_, 0);
    EXPECT_EQ(sum(file.mapped(0, kBytes)), 0u);
    EXPECT_ERROR(file.require_kept(), SystemError, "cut short");
    fs::resize_file(path_, kBytes);
  }
}

TEST_F(MappedFile, OtherBusErrorsEndTheProgramAsBefore) {
  const auto touch = [&](bool with_handler) {
    return test::status_in_child([&] {
      InputFile file(path_);
      if (with_handler) file.map();
      const int descriptor = ::memfd_create("other", 0);
      if (::ftruncate(descriptor, 4096) != 0) return 1;
      const auto* other = static_cast<const volatile char*>(
          ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, descriptor, 0));
      if (::ftruncate(descriptor, 0) != 0) return 1;
      return other[0] == 0 ? 2 : 3;
    });
  };
  EXPECT_EQ(touch(false), -SIGBUS);
  EXPECT_EQ(touch(true), -SIGBUS);
}

}  // namespace
}  // namespace edt
