// Encoding over ranks: the same bytes for any number of them, also where it is killed on the way.
#include "launcher/encode/encode_run.h"

#include <gmock/gmock-matchers.h>

#include <atomic>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "core/storage/directory_lock.h"
#include "data/dataset.h"
#include "parallel/comm/self/self_communicator.h"
#include "parallel/comm/threads/thread_ranks.h"
#include "tests/support/block_encoder.h"
#include "tests/support/child_process.h"
#include "tests/support/message_of.h"
#include "tests/support/picture_files.h"
#include "tests/support/temp_dir.h"

namespace edt {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using testing::AllOf;
using testing::HasSubstr;
using Files = std::map<std::string, std::string>;

// As slow as is asked for, so that there is time to be killed in.
class SlowEncoder : public test::BlockEncoder {
 public:
  explicit SlowEncoder(std::chrono::microseconds each = {}) : each_(each) {}
  void encode(std::span<const std::uint8_t> pictures, int count, int size,
              std::span<float> out) override {
    std::this_thread::sleep_for(each_ * count);
    BlockEncoder::encode(pictures, count, size, out);
  }

 private:
  std::chrono::microseconds each_;
};

class EncodeRanks : public testing::Test {
 protected:
  static constexpr int kPictures = 37;

  EncodeRanks() {
    for (int i = 0; i < kPictures; ++i) {
      const Image image = test::drawn_picture(40 + i % 9, 45, static_cast<unsigned>(i));
      write(fmt::format("p/c{}/{:02}.jpg", i % 3, i), test::jpeg_file(image));
    }
    request_.options.list.pictures = {directory_ / "p"};
    request_.options.image_size = 32;
    request_.options.samples_per_shard = 4;
    request_.options.batch = 3;
    request_.options.arithmetic = "a stand-in";
  }
  void write(const std::string& name, const std::string& content) const {
    fs::create_directories((directory_ / name).parent_path());
    std::ofstream(directory_ / name, std::ios::binary) << content;
  }
  EncodeRequest into(const std::string& out) const {
    EncodeRequest request = request_;
    request.options.out = directory_ / out;
    return request;
  }
  // The outcome of the first rank.
  static EncodeOutcome encode(const EncodeRequest& request, int ranks,
                              const EncodeEvents& events = {},
                              std::chrono::microseconds each = {}) {
    EncodeOutcome first;
    run_ranks(ranks, [&](Communicator& world) {
      SlowEncoder encoder(each);
      const EncodeOutcome outcome = encode_over_ranks(request, encoder, world, events);
      if (world.is_root()) first = outcome;
    });
    return first;
  }
  // All that is left in `out`, hidden files and folders apart.
  Files files(const std::string& out) const {
    Files found;
    for (const auto& entry : fs::directory_iterator(directory_ / out)) {
      const std::string name = entry.path().filename().string();
      if (name[0] == '.') continue;
      std::ifstream stream(entry.path(), std::ios::binary);
      found[name] = {std::istreambuf_iterator<char>(stream), {}};
    }
    return found;
  }

  const test::TempDir directory_;
  EncodeRequest request_;
};

// From the first look on: an index that another call is making is not this one's to remove.
TEST_F(EncodeRanks, OneCallAtATimeForASet) {
  encode(into("out"), 1);
  const fs::path index = directory_ / "out/.pictures/finished.json";
  ASSERT_TRUE(fs::exists(index));
  EncodeRequest other = into("out");
  other.options.list.pictures = {directory_ / "p/c0"};
  {
    const DirectoryLock held(directory_ / "out");
    EXPECT_THAT(message_of<UsageError>([&] { encode(other, 1); }), HasSubstr("another process"));
  }
  EXPECT_TRUE(fs::exists(index));
}

// Latin-1, as old disks have it: JSON has Unicode alone.
TEST_F(EncodeRanks, FoldersWhoseNamesAreNotUtf8) {
  fs::rename(directory_ / "p", directory_ / "caf\xe9");
  request_.options.list.pictures = {directory_ / "caf\xe9"};
  EXPECT_EQ(encode(into("out"), 2).samples, static_cast<std::uint64_t>(kPictures));
}

TEST_F(EncodeRanks, TheSameBytesForAnyNumberOfRanks) {
  const EncodeOutcome alone = encode(into("one"), 1);
  EXPECT_EQ(alone.samples, static_cast<std::uint64_t>(kPictures));
  EXPECT_EQ(alone.encoded, alone.samples);
  EXPECT_EQ(alone.shards.written, 10u);
  const Files expected = files("one");
  EXPECT_EQ(expected.size(), 11u);  // with provenance.json
  for (int ranks : {2, 3, 12}) {
    const std::string out = fmt::format("ranks{}", ranks);
    EXPECT_EQ(encode(into(out), ranks).encoded, alone.samples);
    EXPECT_EQ(files(out), expected) << ranks;
  }
  EXPECT_EQ(data::Dataset(directory_ / "one").size(), alone.samples);
}

TEST_F(EncodeRanks, BrokenPicturesStopItOrAreLeftOut) {
  write("p/c1/half.jpg", test::jpeg_file(test::drawn_picture(90, 90, 1)).substr(0, 900));
  write("p/c2/text.png", "hello");
  const std::string refusal = message_of<DataError>([&] { encode(into("out"), 3); });
  EXPECT_THAT(refusal, AllOf(HasSubstr("2 of 39 pictures cannot be decoded"), HasSubstr("half.jpg"),
                             HasSubstr("cut off"), HasSubstr("--broken skip")));
  EXPECT_FALSE(fs::exists(directory_ / "out"));
  request_.skip_broken = true;
  EXPECT_EQ(encode(into("skip"), 3).left_out, 2u);
  const Files found = files("skip");
  const auto list = found.at("left-out.tsv");
  EXPECT_THAT(list, AllOf(HasSubstr("p/c1/half.jpg\tcut off"), HasSubstr("p/c2/text.png\tis no")));
  EncodeRequest other = into("skip");  // what is refused changes nothing
  other.options.decode.most_pixels = 3000;
  EXPECT_THAT(message_of<DataError>([&] { encode(other, 2); }), HasSubstr("--most-pixels"));
  EXPECT_EQ(files("skip"), found);
  // But for the list and the record, it is the set without them.
  fs::remove(directory_ / "p/c1/half.jpg");
  fs::remove(directory_ / "p/c2/text.png");
  encode(into("without"), 1);
  const data::Dataset with(directory_ / "skip"), without(directory_ / "without");
  ASSERT_EQ(with.size(), without.size());
  std::vector<data::SampleRef> all;
  for (std::uint32_t i = 0; i < with.size(); ++i) all.push_back({.index = i});
  data::ReadScratch scratch;
  std::vector<float> a(with.size() * 48), b(a.size());
  with.read(all, 1, scratch, a);
  without.read(all, 1, scratch, b);
  EXPECT_EQ(a, b);
  for (const auto& entry : fs::recursive_directory_iterator(directory_ / "p")) {
    if (entry.is_regular_file()) std::ofstream(entry.path()) << "broken";
  }
  EXPECT_THAT(message_of<DataError>([&] { encode(into("all"), 2); }),
              HasSubstr("37 of 37 pictures cannot be decoded"));
}

TEST_F(EncodeRanks, StopsOnRequestAndGoesOn) {
  encode(into("whole"), 1);
  for (int ranks : {1, 3}) {
    const std::string out = fmt::format("stopped{}", ranks);
    std::atomic<int> pictures = 0;
    const EncodeEvents events{.stop_requested = [&] { return ++pictures > 60; }};
    EXPECT_TRUE(encode(into(out), ranks, events, std::chrono::microseconds(500)).stopped);
    EXPECT_LT(files(out).size(), 11u);
    const EncodeOutcome rest = encode(into(out), 2);
    EXPECT_FALSE(rest.stopped);
    EXPECT_EQ(files(out), files("whole"));
    // And once more: nothing is left to do.
    const EncodeOutcome nothing = encode(into(out), ranks);
    EXPECT_EQ(nothing.encoded, 0u);
    EXPECT_EQ(nothing.shards.kept, 10u);
  }
}

TEST_F(EncodeRanks, ProgressIsThatOfAllRanks) {
  std::map<std::string, std::uint64_t> most;
  const EncodeEvents events{
      .progress = [&](std::string_view phase, std::uint64_t done, std::uint64_t total) {
        EXPECT_TRUE(total == 0 || done <= total) << phase;
        most[std::string(phase)] = done;
      }};
  encode(into("one"), 1, events);
  EXPECT_EQ(most["list"], 37u);
  EXPECT_EQ(most["look"], 37u);
  EXPECT_EQ(most["encode"], 37u);
}

// --replace: the older set is whole until shards of the new one are complete.
TEST_F(EncodeRanks, ReplacesAnotherSet) {
  encode(into("out"), 2);
  const Files before = files("out");
  request_.options.flipped = false;
  EXPECT_THAT(message_of<DataError>([&] { encode(into("out"), 2); }),
              AllOf(HasSubstr("--flipped was on, is now off"), HasSubstr("--replace")));
  EXPECT_EQ(files("out"), before);
  request_.options.replace = true;
  encode(into("out"), 3);
  encode(into("new"), 1);
  EXPECT_EQ(files("out"), files("new"));
}

// SIGKILL at any moment, then on another number of ranks: turn and turn about after some pictures
// and after some time.
TEST_F(EncodeRanks, KilledAtRandomMomentsItEndsInTheSameBytes) {
  encode(into("whole"), 1);
  const Files expected = files("whole");
  std::mt19937 dice(11);
  int killed = 0;
  for (int round = 0; round < 4; ++round) {
    const std::string out = fmt::format("killed{}", round);
    for (int turn = 0; turn < 6; ++turn) {
      const int ranks = 1 + static_cast<int>(dice() % 4);
      const bool by_count = turn % 2 == 0;
      const int most = static_cast<int>(dice() % 20);
      test::ChildProcess child([&] {
        std::atomic<int> asked = 0;
        const EncodeEvents events{.stop_requested = [&] {
          if (by_count && asked++ == most) kill(getpid(), SIGKILL);
          return false;
        }};
        encode(into(out), ranks, events, std::chrono::milliseconds(4));
        return 0;
      });
      if (!by_count) {
        std::this_thread::sleep_for(std::chrono::milliseconds(dice() % 120));
        if (!child.ended()) child.send(SIGKILL);
      }
      if (child.wait() != -SIGKILL) break;
      ++killed;
    }
    encode(into(out), 1 + round % 3);
    EXPECT_EQ(files(out), expected) << round;
  }
  EXPECT_GE(killed, 4) << "the first turn of each round";
}

}  // namespace
}  // namespace edt
