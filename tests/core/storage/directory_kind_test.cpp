// Directories of different kinds, and paths that lead nowhere.
#include "core/storage/directory_kind.h"

#include <gmock/gmock-matchers.h>

#include "core/storage/missing_path.h"
#include "core/storage/new_directories.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

namespace fs = std::filesystem;
using test::TempDir;
using test::write_text;
using testing::HasSubstr;

TEST(DirectoryKind, IsToldFromTheNamesInIt) {
  const TempDir directory;
  EXPECT_EQ(kind_of_directory(directory / "none"), DirectoryKind::kOther);
  EXPECT_EQ(kind_of_directory(directory.path()), DirectoryKind::kOther);
  write_text(directory / "run/config.ini", "");
  EXPECT_EQ(kind_of_directory(directory / "run"), DirectoryKind::kOther) << "a configuration alone";
  write_text(directory / "run/checkpoints/step-000001/manifest.json", "");
  write_text(directory / "run/checkpoints/step-000001/rank-0000.h5", "");
  EXPECT_EQ(kind_of_directory(directory / "run"), DirectoryKind::kRun);
  EXPECT_EQ(kind_of_directory(directory / "run/checkpoints"), DirectoryKind::kCheckpoints);
  EXPECT_EQ(kind_of_directory(directory / "run/checkpoints/"), DirectoryKind::kCheckpoints);
  EXPECT_EQ(kind_of_directory(directory / "run/checkpoints/step-000001"),
            DirectoryKind::kCheckpoint);
  fs::create_directory_symlink("run/checkpoints", directory / "link");
  EXPECT_EQ(kind_of_directory(directory / "link"), DirectoryKind::kCheckpoints);
  write_text(directory / "checkpoints/notes.txt", "");
  EXPECT_EQ(kind_of_directory(directory / "checkpoints"), DirectoryKind::kOther) << "a name";
  write_text(directory / "set/shard-00000-of-00002.h5", "");
  EXPECT_EQ(kind_of_directory(directory / "set"), DirectoryKind::kDataSet);
  write_text(directory / "begun/provenance.json", "");
  EXPECT_EQ(kind_of_directory(directory / "begun"), DirectoryKind::kDataSet);
  EXPECT_EQ(described(DirectoryKind::kDataSet), "a data set");
  EXPECT_EQ(described(DirectoryKind::kRun), "a run");
}

TEST(MissingPath, SaysWhatMayBeMeant) {
  EXPECT_THAT(missing_path_hint("t-{000000..000009}.tar"), HasSubstr("braces are expanded by the"));
  EXPECT_THAT(missing_path_hint("t-{a,b}.tar"), HasSubstr("braces"));
  EXPECT_EQ(missing_path_hint("t-{a}.tar"), "");
  EXPECT_THAT(missing_path_hint("shards/*.tar"), HasSubstr("wildcards are expanded by the shell"));
  EXPECT_EQ(missing_path_hint("shards/0.tar"), "");
  const TempDir directory;
  write_text(directory / "cafe\u0301.txt", "");
  EXPECT_EQ(missing_path_hint(directory / "caf\u00e9.txt"), kOtherForm);
  EXPECT_EQ(missing_path_hint(directory / "cafe.txt"), "");
}

TEST(MissingPath, OfWeightsMayBeARepository) {
  EXPECT_THAT(missing_weights_hint("stabilityai/sd-vae-ft-ema"), HasSubstr("Hugging Face"));
  for (const char* other : {"vae.safetensors", "/stabilityai/sd", "./vae/a.safetensors",
                            "../vae/a.safetensors", "a/b/c.safetensors"}) {
    EXPECT_EQ(missing_weights_hint(other), "") << other;
  }
}

TEST(NewDirectories, GoWhereNothingCameOfThem) {
  const TempDir directory;
  fs::create_directory(directory / "there");
  {
    const NewDirectories made(directory / "there/a/b/");
    fs::create_directories(directory / "there/a/b");
  }
  EXPECT_TRUE(fs::is_empty(directory / "there"));
  {
    NewDirectories made(directory / "there/a/b");
    fs::create_directories(directory / "there/a/b");
    made.keep();
  }
  EXPECT_TRUE(fs::exists(directory / "there/a/b"));
  {
    const NewDirectories made(directory / "there/a/c/d");
    fs::create_directories(directory / "there/a/c/d");
    write_text(directory / "there/a/c/of-somebody", "");
  }
  EXPECT_FALSE(fs::exists(directory / "there/a/c/d"));
  EXPECT_TRUE(fs::exists(directory / "there/a/c/of-somebody"));
}

}  // namespace
}  // namespace edt
