#include "core/storage/file_change.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstring>
#include <fstream>

#include "core/storage/file_kind.h"
#include "core/storage/hdf5_change.h"
#include "tests/core/storage/expect_error.h"
#include "tests/core/storage/stored_zip.h"
#include "tests/support/temp_dir.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string content(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::vector<std::byte> bytes(const std::string& text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

TEST(FileChange, WritesPiecesAndTheNewEnd) {
  const test::TempDir directory;
  const fs::path file = directory / "a";
  write(file, "0123456789");
  change_file(file,
              {.old_size = 10, .new_size = 13, .pieces = {{2, bytes("xy")}, {9, bytes("abcd")}}});
  EXPECT_EQ(content(file), "01xy45678abcd");
  EXPECT_FALSE(finish_change(file));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory.path()), {}), 1);
}

// A limit on the sizes of files stops a change after it was written down.
TEST(FileChange, AnInterruptedChangeIsCompleted) {
  const test::TempDir directory;
  const fs::path file = directory / "a";
  const std::string before(4000, 'o');
  write(file, before);
  const FileChange change{
      .old_size = 4000, .new_size = 5000, .pieces = {{1, bytes("x")}, {4998, bytes("ab")}}};
  signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{4096, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_ERROR(change_file(file, change), SystemError, file.string());
  setrlimit(RLIMIT_FSIZE, &old);
  EXPECT_EQ(content(file), before);
  const std::string record = content(change_path(file));
  EXPECT_TRUE(finish_change(file));
  const std::string after = content(file);
  EXPECT_EQ(after.size(), 5000u);
  EXPECT_EQ(after.substr(0, 3), "oxo");
  EXPECT_EQ(after.substr(4998), "ab");
  EXPECT_FALSE(fs::exists(change_path(file)));
  write(change_path(file), record);  // applied twice it is the same
  EXPECT_TRUE(finish_change(file));
  EXPECT_EQ(content(file), after);
}

TEST(FileChange, RecordsThatAreDamagedOrOfAnotherFileAreRefused) {
  const test::TempDir directory;
  const fs::path file = directory / "a";
  write(file, "0123456789");
  for (const std::string& record : {std::string("EDTCHNG1"), std::string("EDTCHNG1 and more text"),
                                    std::string(100, '\0'), std::string()}) {
    write(change_path(file), record);
    EXPECT_ERROR(finish_change(file), DataError, ".a.change", "damaged");
  }
  fs::remove(change_path(file));
  EXPECT_FALSE(finish_change(file));
  EXPECT_EQ(content(file), "0123456789");
}

TEST(Hdf5Change, TheFileStaysAsItIsUntilTheChangeIsMade) {
  const test::TempDir directory;
  const fs::path path = directory / "a.h5";
  {
    h5::File file = h5::File::create(path);
    const std::vector<float> values(1000, 0.5f);
    file.create_dataset("x", h5::Type::kFloat32, {1000}).write(h5::Type::kFloat32, values.data());
    file.close();
  }
  const std::string before = content(path);
  const FileChange change = h5::record_change(path, [](h5::File& file) {
    for (int i = 0; i < 20; ++i) file.write_attribute(fmt::format("attribute_{}", i), i);
    EXPECT_EQ(file.read_int("attribute_7"), 7);
    EXPECT_EQ(file.dataset("x").read_all<float>(h5::Type::kFloat32)[999], 0.5f);
  });
  EXPECT_EQ(content(path), before);
  EXPECT_FALSE(change.pieces.empty());
  change_file(path, change);
  const h5::File file = h5::File::open(path);
  EXPECT_EQ(file.read_int("attribute_19"), 19);
  EXPECT_EQ(file.dataset("x").read_all<float>(h5::Type::kFloat32), std::vector<float>(1000, 0.5f));
  EXPECT_EQ(content(path).size(), change.new_size);
}

TEST(FileKind, ToldFromTheContent) {
  const test::TempDir directory;
  const fs::path file = directory / "a";
  const auto kind = [&](const std::string& text) {
    write(file, text);
    return kind_of_file(file);
  };
  EXPECT_EQ(kind(""), FileKind::kEmpty);
  EXPECT_EQ(kind("hello"), FileKind::kUnknown);
  EXPECT_EQ(kind("\x93NUMPY..."), FileKind::kNpy);
  EXPECT_EQ(kind(test::stored_zip({{"a.npy", "x"}})), FileKind::kZip);
  EXPECT_EQ(kind(test::stored_zip({{"model/data.pkl", "x"}})), FileKind::kTorchZip);
  EXPECT_EQ(kind("\x80\x04something"), FileKind::kPickle);
  // Protocols 0 and 1 have no signature.
  for (const std::string& text :
       {std::string("(dp0\nVlatents\np1\nI1\ns."), std::string("(lp0\nI1\na."),
        std::string("cnumpy.core.multiarray\n_reconstruct\np0\n(cnumpy\nndarray\nb."),
        std::string("(ctorch._utils\n_rebuild_tensor_v2\np0\ntp1\n."),
        std::string("}q\0X\7\0\0\0latentsq\1K\1s.", 21), std::string("]q\0.", 4)}) {
    EXPECT_EQ(kind(text), FileKind::kPickle) << text;
    EXPECT_EQ(kind(text + "\n"), FileKind::kUnknown) << text;
  }
  EXPECT_EQ(kind("cats\nare not\npickles."), FileKind::kUnknown);
  EXPECT_EQ(kind("{\"labels\": []}"), FileKind::kJson);
  EXPECT_EQ(kind("version https://git-lfs.github.com/spec/v1\n"), FileKind::kGitLfs);
  EXPECT_EQ(kind("<!DOCTYPE html>"), FileKind::kWebPage);
  const std::string magic = "\x89HDF\r\n\x1a\n";
  EXPECT_EQ(kind(magic), FileKind::kHdf5);
  EXPECT_EQ(kind(std::string(512, 'u') + magic), FileKind::kHdf5);
  EXPECT_EQ(kind(std::string(256, 'u') + magic), FileKind::kUnknown);
  // Lengths of headers that look like the signatures of JSON, a pickle and gzip.
  for (const std::uint64_t length :
       {std::uint64_t{'{'}, std::uint64_t{0x280}, std::uint64_t{0x8b1f}}) {
    std::string text(8, '\0');
    std::memcpy(text.data(), &length, 8);
    EXPECT_EQ(kind(text + "{" + std::string(length, ' ')), FileKind::kSafetensors) << length;
  }
}

}  // namespace
}  // namespace edt
