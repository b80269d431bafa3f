// Whatever happens to the newest checkpoint, the one before it is taken and the reason is said.
#include <gmock/gmock-matchers.h>

#include <fstream>

#include "core/storage/access.h"
#include "fixture.h"
#include "parallel/checkpoint/inspect.h"

namespace edt::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class Damage : public ::testing::Test {
 protected:
  Damage() { save_steps(store_, {1, 2}); }

  // Why the newest was skipped, after checking that the one before is what loads.
  std::string reason() {
    const CheckpointChoice choice = newest_intact(store_);
    EXPECT_EQ(choice.checkpoint ? choice.checkpoint->info().step : -1, 1);
    EXPECT_EQ(loaded_step(store_), 1);
    return choice.rejected.empty() ? "nothing was rejected" : choice.rejected.front().reason;
  }
  static void flip_bit(const fs::path& file, std::uint64_t offset) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(offset));
    const char changed = static_cast<char>(stream.get() ^ 0x10);
    stream.seekp(static_cast<std::streamoff>(offset));
    stream.put(changed);
  }

  TempDir directory_;
  CheckpointStore store_{directory_.path()};
  fs::path newest_ = store_.path_of(2);
  fs::path data_ = newest_ / "rank-0000.h5";
  fs::path manifest_ = newest_ / "manifest.json";
  fs::path marker_ = newest_ / "complete";
};

TEST_F(Damage, OneFlippedBitAnywhere) {
  constexpr std::uint64_t kPlaces = 40;
  for (const fs::path& file : {data_, manifest_, marker_}) {
    const std::uint64_t bytes = fs::file_size(file);
    for (std::uint64_t place = 0; place < kPlaces; ++place) {
      const std::uint64_t offset = bytes * place / kPlaces;
      flip_bit(file, offset);
      const CheckpointChoice choice = newest_intact(store_);
      ASSERT_TRUE(choice.checkpoint) << file << " at " << offset;
      EXPECT_EQ(choice.checkpoint->info().step, 1) << file << " at " << offset;
      flip_bit(file, offset);
    }
  }
  EXPECT_EQ(loaded_step(store_), 2);
}

// A disk that is out of reach for a moment is no damage: the newest is taken when it is back.
TEST_F(Damage, ADiskThatFailsIsNone) {
  fs::rename(manifest_, directory_ / "kept");
  fs::create_symlink("/proc/self/mem", manifest_);  // EIO
  EXPECT_THAT(message_of<DiskError>([&] { newest_intact(store_); }), HasSubstr(manifest_.string()));
  fs::remove(manifest_);
  fs::rename(directory_ / "kept", manifest_);
  EXPECT_EQ(loaded_step(store_), 2);
}

TEST_F(Damage, NamesTheFileThatIsDamaged) {
  flip_bit(data_, fs::file_size(data_) / 2);
  EXPECT_THAT(reason(), AllOf(HasSubstr(data_.string()), HasSubstr("is damaged: checksum")));
}

TEST_F(Damage, TruncatedData) {
  fs::resize_file(data_, fs::file_size(data_) - 1);
  EXPECT_THAT(reason(), AllOf(HasSubstr("rank-0000.h5 has"), HasSubstr("the manifest says")));
}

TEST_F(Damage, LongerData) {
  fs::resize_file(data_, fs::file_size(data_) + 1);
  EXPECT_THAT(reason(), HasSubstr("the manifest says"));
}

TEST_F(Damage, MissingData) {
  fs::remove(data_);
  EXPECT_THAT(reason(), AllOf(HasSubstr("rank-0000.h5"), HasSubstr("No such file")));
}

TEST_F(Damage, TruncatedManifest) {
  fs::resize_file(manifest_, fs::file_size(manifest_) / 2);
  EXPECT_THAT(reason(), HasSubstr("the marker says"));
}

TEST_F(Damage, MissingManifest) {
  fs::remove(manifest_);
  EXPECT_THAT(reason(), HasSubstr("manifest.json"));
}

TEST_F(Damage, MissingMarker) {
  fs::remove(marker_);
  EXPECT_THAT(reason(), HasSubstr("not marked complete"));
}

TEST_F(Damage, AMarkThatIsLostIsWrittenAgainWhereAllElseIsWhole) {
  fs::remove(marker_);
  store_.recover();
  EXPECT_EQ(loaded_step(store_), 2);
  fs::remove(marker_);
  flip_bit(data_, fs::file_size(data_) / 2);
  store_.recover();
  EXPECT_FALSE(fs::exists(marker_));
  EXPECT_THAT(reason(), HasSubstr("not marked complete"));
  EXPECT_TRUE(fs::exists(data_)) << "it is kept to be looked at";
}

TEST_F(Damage, EmptyDirectory) {
  fs::remove_all(newest_);
  fs::create_directory(newest_);
  EXPECT_THAT(reason(), HasSubstr("not marked complete"));
}

TEST_F(Damage, DataOfAnotherStep) {
  fs::copy_file(store_.path_of(1) / "rank-0000.h5", data_, fs::copy_options::overwrite_existing);
  EXPECT_THAT(reason(), HasSubstr("is damaged"));
}

TEST_F(Damage, RenamedToAnotherStep) {
  fs::rename(newest_, store_.path_of(3));
  EXPECT_THAT(reason(), HasSubstr("holds step 2"));
}

// It was looked for as step-000002, set aside under that name, and ended with status 1.
TEST_F(Damage, AStepWrittenInAnotherWayIsNoCheckpoint) {
  fs::rename(newest_, directory_.path() / "step-2");
  ASSERT_EQ(store_.entries().size(), 1u);
  EXPECT_EQ(reason(), "nothing was rejected");
  EXPECT_EQ(find_checkpoint(directory_.path() / "step-2").info().step, 2);
}

TEST_F(Damage, NoIntactOneAtAll) {
  fs::remove(data_);
  fs::remove(store_.path_of(1) / "complete");
  EXPECT_EQ(loaded_step(store_), -1);
  EXPECT_THAT(message_of<CheckpointError>([&] { find_checkpoint(directory_.path()); }),
              HasSubstr("holds no intact checkpoint; the newest: "));
}

TEST_F(Damage, WhatIsSetAsideCountsNoLonger) {
  fs::remove(data_);
  for (const auto& rejected : newest_intact(store_).rejected) store_.set_aside(rejected.entry);
  EXPECT_TRUE(fs::exists(directory_.path() / "step-000002.damaged"));
  EXPECT_EQ(store_.entries().size(), 1u);
  save_steps(store_, {2});
  EXPECT_EQ(loaded_step(store_), 2);
  fs::remove(data_);
  for (const auto& rejected : newest_intact(store_).rejected) store_.set_aside(rejected.entry);
  EXPECT_TRUE(fs::exists(directory_.path() / "step-000002.damaged"));
  EXPECT_TRUE(fs::exists(directory_.path() / "step-000002.2.damaged"));
  save_steps(store_, {2});
  EXPECT_EQ(store_.entries().size(), 2u);  // step 1 was not counted out by the damaged one
}

// A file that rots between the check and the load: the fragment's own checksum notices.
TEST_F(Damage, FoundOnLoadingToo) {
  const Checkpoint checkpoint = Checkpoint::open(newest_);
  std::string bytes = read_text(data_);
  const float first = tensor_values(2, 0, 2, 600)[100];
  const std::size_t place =
      bytes.find(std::string_view(reinterpret_cast<const char*>(&first), sizeof(first)));
  ASSERT_NE(place, std::string::npos);
  flip_bit(data_, place);
  RankState rank(small_layout(), 0, 1);
  EXPECT_THAT(message_of<CheckpointError>([&] { checkpoint.load(rank.state()); }),
              AllOf(HasSubstr("master/blocks.0.attn.weight/0-600"), HasSubstr("checksum is")));
  EXPECT_THAT(message_of<CheckpointError>([&] { checkpoint.verify(); }), HasSubstr("is damaged"));
}

TEST_F(Damage, InspectionListsAllWithTheirProblems) {
  flip_bit(data_, fs::file_size(data_) - 100);
  EXPECT_EQ(inspect_checkpoints(directory_.path(), Depth::kManifest)[0].problem, "");
  for (const Depth depth : {Depth::kFiles, Depth::kFragments}) {
    const auto found = inspect_checkpoints(directory_.path(), depth);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].step, 2);
    EXPECT_THAT(found[0].problem, HasSubstr("is damaged"));
    EXPECT_EQ(found[1].problem, "");
    EXPECT_EQ(found[1].manifest->info, info_of_step(1));
  }
  EXPECT_EQ(inspect_checkpoints(store_.path_of(1), Depth::kFragments).at(0).problem, "");
  fs::remove_all(newest_);
  fs::remove_all(store_.path_of(1));
  EXPECT_THROW(inspect_checkpoints(directory_.path(), Depth::kManifest), CheckpointError);
}

}  // namespace
}  // namespace edt::test
