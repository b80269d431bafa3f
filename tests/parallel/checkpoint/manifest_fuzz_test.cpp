// Deterministic mutations of a valid manifest: it parses or is refused by a CheckpointError.
#include <gmock/gmock-matchers.h>

#include <fstream>

#include "core/storage/checksum.h"
#include "fixture.h"
#include "tests/support/fuzz_rounds.h"

namespace edt::test {
namespace {

class Dice {
 public:
  explicit Dice(std::uint32_t round) : round_(round) {}
  std::size_t below(std::size_t limit) {
    const auto words = random::block({.seed = 3, .step = round_}, draws_++);
    return words[0] % std::max<std::size_t>(limit, 1);
  }

 private:
  std::uint32_t round_;
  std::uint32_t draws_ = 0;
};

const std::vector<std::string>& tokens() {
  static const std::vector<std::string> list{"-1",
                                             "0",
                                             "1e400",
                                             "18446744073709551615",
                                             "9223372036854775807",
                                             "1.5",
                                             "null",
                                             "true",
                                             "[]",
                                             "{}",
                                             "\"\"",
                                             "\"../../etc/passwd\"",
                                             "\"/\"",
                                             "[[[[[[[[",
                                             "\xff",
                                             "\"float16\"",
                                             ",",
                                             "\"a\\u0000b\"",
                                             "281474976710656",
                                             "[1,1,1,1,1,1,1,1]"};
  return list;
}

// End of the JSON scalar that begins at `begin`.
std::size_t scalar_end(const std::string& text, std::size_t begin) {
  return std::min(text.find_first_of(",\n]}", begin), text.size());
}

void mutate(std::string& text, Dice& dice) {
  const std::size_t place = dice.below(text.size());
  switch (dice.below(6)) {
    case 0:
      text[place] = static_cast<char>(dice.below(256));
      return;
    case 1:
      text.resize(place);
      return;
    case 2:
      text.erase(place, dice.below(200));
      return;
    case 3:
      text.insert(place, text.substr(dice.below(text.size()), dice.below(300)));
      return;
    case 4:
      text.insert(place, tokens()[dice.below(tokens().size())]);
      return;
    default:
      const std::size_t colon = text.find(": ", place);
      if (colon == std::string::npos) return;
      text.replace(colon + 2, scalar_end(text, colon) - colon - 2,
                   tokens()[dice.below(tokens().size())]);
  }
}

class ManifestFuzz : public ::testing::Test {
 protected:
  ManifestFuzz() {
    save_steps(store_, {1});
    valid_ = read_text(store_.path_of(1) / kManifestName);
  }
  TempDir directory_;
  CheckpointStore store_{directory_.path()};
  std::string valid_;
};

TEST_F(ManifestFuzz, ParsesOrRefuses) {
  int parsed = 0, refused = 0;
  for (int round = 0; round < fuzz_rounds(3000); ++round) {
    Dice dice(static_cast<std::uint32_t>(round));
    std::string text = valid_;
    for (std::size_t i = 0; i <= dice.below(4); ++i) mutate(text, dice);
    try {
      parse_manifest(text, "fuzz");
      ++parsed;
    } catch (const CheckpointError&) {
      ++refused;
    }
  }
  EXPECT_GT(parsed, 0);
  EXPECT_GT(refused, fuzz_rounds(3000) / 2);
}

// The same with a marker that agrees, so that opening and loading believe the manifest.
TEST_F(ManifestFuzz, LoadsOrRefusesWithAMatchingMarker) {
  RankState rank(small_layout(), 0, 1);
  for (int round = 0; round < fuzz_rounds(3000) / 4; ++round) {
    Dice dice(static_cast<std::uint32_t>(round) + 1000000);
    std::string text = valid_;
    mutate(text, dice);
    std::ofstream(store_.path_of(1) / kManifestName, std::ios::binary) << text;
    std::ofstream(store_.path_of(1) / kMarkerName)
        << checksum_text(checksum_of(std::span<const char>(text))) << "\n";
    try {
      const Checkpoint checkpoint = Checkpoint::open(store_.path_of(1));
      checkpoint.extra("history");
      checkpoint.load(rank.state());
    } catch (const CheckpointError&) {
    }
  }
}

class BadManifest : public ManifestFuzz {
 protected:
  std::string refusal(const std::string& from, const std::string& to) {
    std::string text = valid_;
    const std::size_t place = text.find(from);
    EXPECT_NE(place, std::string::npos) << from;
    text.replace(place, from.size(), to);
    return message_of<CheckpointError>([&] { parse_manifest(text, "m"); });
  }
};

TEST_F(BadManifest, SaysWhatIsWrong) {
  using ::testing::HasSubstr;
  EXPECT_THAT(refusal("edt-checkpoint", "other"), HasSubstr("is not the manifest of a checkpoint"));
  EXPECT_THAT(refusal("\"version\": 1", "\"version\": 2"),
              HasSubstr("format version is 2, this program reads 1"));
  EXPECT_THAT(refusal("\"step\": 1", "\"step\": -1"), HasSubstr("m: step: is -1, must be 0.."));
  EXPECT_THAT(refusal("\"end\": 70", "\"end\": 71"),
              HasSubstr("pieces[0]: elements 0-71 do not fit x_embedder.weight of shape [10, 7]"));
  EXPECT_THAT(refusal("\"end\": 70", "\"end\": 69"),
              HasSubstr("x_embedder.weight: no fragment holds element 69"));
  EXPECT_THAT(refusal("\"tensor\": 1", "\"tensor\": 0"),
              HasSubstr("x_embedder.weight: two fragments hold element 0"));
  EXPECT_THAT(refusal("\"tensor\": 1", "\"tensor\": 7"), HasSubstr("is 7, must be 0..6"));
  EXPECT_THAT(refusal("rank-0000.h5", "../rank-0000.h5"), HasSubstr("is not a plain name"));
  EXPECT_THAT(refusal("x_embedder.bias", "x_embedder.weight"), HasSubstr("appears twice"));
  EXPECT_THAT(refusal("   10,\n    7\n", "   1000000000,\n    7\n"),
              HasSubstr("the tensors up to x_embedder.weight need 28000000000 bytes"));
  EXPECT_THAT(refusal("\"seed\": 1844", "\"seed\": -1844"), HasSubstr("seed"));
}

}  // namespace
}  // namespace edt::test
