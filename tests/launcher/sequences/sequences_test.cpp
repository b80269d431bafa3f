// Sequences from end to end: drawn, trained on, sampled, plotted; and what is refused.
#include <cmath>

#include "core/base/error.h"
#include "launcher/sample/frame_options.h"
#include "tests/launcher/sequences/sequence_runs.h"
#include "tests/support/text_files.h"

namespace edt::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pointwise;

TEST_F(SequenceRuns, SynthesizedAreToldByTheirClass) {
  synthesize("set");
  const data::Dataset set(path("set"));
  const data::Description& d = set.description();
  EXPECT_TRUE(d.is_sequence());
  EXPECT_EQ(d.channels, 6);
  EXPECT_EQ(d.width, 24);
  EXPECT_EQ(d.classes, 6);
  EXPECT_EQ(d.class_names[1], "run");
  ASSERT_EQ(d.arrays.size(), 1u);
  EXPECT_EQ(d.arrays[0].shape, (h5::Shape{24, 2}));
  // Both legs of a hop move together, those of a walk do not.
  const Numbers walk = stored("set", 0), hop = stored("set", 2);
  EXPECT_NE(walk[0], walk[24]);
  EXPECT_FLOAT_EQ(hop[5], hop[24 + 5]);
  for (const float pace : frames_of("set", 3)) EXPECT_TRUE(0.3f < pace && pace < 1.7f) << pace;
  EXPECT_GT(d.channel_std[0], 100 * d.channel_std[4]);
  EXPECT_THAT(done({"data", "info", path("set")}).out, HasSubstr("24 frames of 6 numbers"));
  synthesize("again");
  EXPECT_EQ(stored("again", 7), stored("set", 7));
  EXPECT_THAT(refused({"data", "synth", path("x"), "--length", "8", "--hog", "on"}),
              HasSubstr("--hog is of pictures, and --length 8 asks for sequences"));
  EXPECT_THAT(refused({"data", "synth", path("x"), "--length", "8", "--classes", "7"}),
              HasSubstr("7 classes of sequences asked for, 1 to 6"));
  EXPECT_THAT(refused({"data", "info", path("set"), "--pictures", path("a.png")}),
              HasSubstr("holds sequences of 24 frames, of which no picture is drawn"));
}

// Sequences of texts have no class, and a page has any of the set's beside them.
TEST_F(SequenceRuns, OfNoClassAreAny) {
  synthesize("set");
  const data::Dataset set(path("set"));
  const std::vector<std::int32_t> labels{6, 2, 6, 2};
  const auto found = samples_of_classes(set, labels, 6);
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0], 0u);
  EXPECT_EQ(found[2], 2u);
  EXPECT_EQ(set.label(found[1]), 2);
  EXPECT_EQ(set.label(found[3]), 2);
  EXPECT_NE(found[1], found[3]);
  const std::vector<std::int32_t> other{7};
  EXPECT_THROW((void)samples_of_classes(set, other, 6), DataError);
}

TEST_F(SequenceRuns, SamplesAreInTheUnitsOfTheData) {
  synthesize("set");
  train("set", "run", {"--data.holdout=0.3", "--run.holdout-every=2"});
  done(sampling("run",
                {"--out", path("a.npz"), "--latents", path("a.h5"), "--page", path("a.html")}));
  const Numbers samples = member(path("a.npz"), "samples", {4, 24, 6});
  EXPECT_EQ(member(path("a.npz"), "labels", {4}), (Numbers{1, 1, 4, 4}));
  const auto latents =
      h5::File::open(path("a.h5")).dataset("latents").read_all<float>(h5::Type::kFloat32);
  const data::Dataset set(path("set"));
  const data::Description& d = set.description();
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::size_t c = i % 6, frame = i / 6 % 24, n = i / 144;
    const double expected =
        latents[(n * 6 + c) * 24 + frame] * d.channel_std[c] + d.channel_mean[c];
    EXPECT_NEAR(samples[i], expected, 1e-4 * (1 + std::abs(expected)));
  }
  // What the model was told of the frames is that of the first samples of these classes.
  const Numbers told = member(path("a.npz"), "frames", {4, 24, 2});
  for (const auto& [place, sample] : {std::pair{0, 1}, {1, 7}, {2, 4}, {3, 10}}) {
    const Numbers one(told.begin() + place * 48, told.begin() + (place + 1) * 48);
    EXPECT_EQ(one, frames_of("set", static_cast<std::uint64_t>(sample)));
  }
  const std::string page = read_text(path("a.html"));
  EXPECT_THAT(page, HasSubstr("run"));
  EXPECT_THAT(page, HasSubstr("Sample 7 of the data"));
  EXPECT_THAT(page, HasSubstr("deviations from the mean"));
}

// The same conditions from a file give the same bits, others do not, each in its own row.
TEST_F(SequenceRuns, FramesAreRead) {
  synthesize("set");
  train("set", "run");
  done(sampling("run", {"--out", path("set.npz")}));
  done(sampling("run", {"--out", path("file.npz"), "--frames", path("set.npz")}));
  done(sampling("run", {"--out", path("other.npz"), "--frames", "set:5"}));
  const Numbers of_set = member(path("set.npz"), "samples", {4, 24, 6});
  EXPECT_EQ(member(path("file.npz"), "samples", {4, 24, 6}), of_set);
  EXPECT_NE(member(path("other.npz"), "samples", {4, 24, 6}), of_set);
  data::test::write_npy(path("one.npy"), "<f4", {24, 2}, frames_of("set", 5));
  done(sampling("run", {"--out", path("one.npz"), "--frames", path("one.npy")}));
  EXPECT_EQ(member(path("one.npz"), "samples", {4, 24, 6}),
            member(path("other.npz"), "samples", {4, 24, 6}));
  data::test::write_npy(path("short.npy"), "<f4", {20, 2}, Numbers(40));
  const auto refuse = [&](const std::vector<std::string>& more) {
    std::vector<std::string> args = sampling("run", more);
    args.insert(args.end(), {"--out", path("x.npz")});
    return refused(args);
  };
  EXPECT_THAT(refuse({"--frames", path("short.npy")}),
              HasSubstr("shape [20, 2], [4, 24, 2] for 4 sequences are needed, or [24, 2]"));
  EXPECT_THAT(refuse({"--frames", "set:36"}), HasSubstr("has samples 0 to 35"));
  EXPECT_THAT(refuse({"--frames", path("none.npy")}), HasSubstr("there is no such file"));
  EXPECT_THAT(refuse({"--extend", "2x1"}),
              HasSubstr("reads conditions of the frames of one window"));
  EXPECT_FALSE(std::filesystem::exists(path("x.npz")));
}

TEST_F(SequenceRuns, LongerOnesAreMadeWindowByWindow) {
  synthesize("set");
  train("set", "run", {"--model.frame-channels=0"});
  done(sampling("run", {"--out", path("one.npz")}));
  done(sampling("run", {"--out", path("long.npz"), "--extend", "3x1", "--page", path("a.html")}));
  const Numbers one = member(path("one.npz"), "samples", {4, 24, 6});
  const Numbers all = member(path("long.npz"), "samples", {4, 60, 6});
  // The first window is the sequence itself.
  EXPECT_EQ(Numbers(all.begin(), all.begin() + 24 * 6), Numbers(one.begin(), one.begin() + 24 * 6));
  const auto refuse = [&](const std::string& option, const std::string& value) {
    return refused(sampling("run", {"--out", path("x.npz"), option, value}));
  };
  EXPECT_THAT(refuse("--extend", "1x2"), HasSubstr("sequences are one row high: COLUMNSx1"));
  EXPECT_THAT(refuse("--frames", "set:1"), HasSubstr("reads no conditions of frames"));
}

TEST_F(SequenceRuns, AreSampledForDataOfTheirOwnLength) {
  synthesize("set");
  synthesize("longer", "32");
  train("set", "run");
  const auto refuse = [&](const std::vector<std::string>& more) {
    std::vector<std::string> args = sampling("run", more);
    args.insert(args.end(), {"--out", path("x.npz")});
    return refused(args);
  };
  EXPECT_THAT(refuse({"--data", path("longer")}),
              HasSubstr("sequences of 32 frames, the model makes those of 24"));
  EXPECT_THAT(refuse({"--keep", "set:1", "--keep-box", "20,0,8,1"}),
              HasSubstr("is not within the model's sequences, 24 frames in one row"));
  EXPECT_THAT(refuse({"--keep", "set:1", "--keep-box", "20,0,0,1"}),
              HasSubstr("keeps no whole frame"));
}

TEST_F(SequenceRuns, CurvesAreFigures) {
  const auto synth = [&](const std::string& name, const std::vector<std::string>& more) {
    std::vector<std::string> args{"data", "synth", path(name), "--samples", "30", "--quiet", "on"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  };
  done(synth("curves", {"--length", "24", "--sequences", "curves"}));
  const data::Dataset set(path("curves"));
  EXPECT_EQ(set.description().channels, 2);
  EXPECT_EQ(set.description().class_names,
            (std::vector<std::string>{"circle", "eight", "clover", "spiral", "star"}));
  // A circle's pen is as far from the middle as its size says, and none ever leaves the sheet.
  const Numbers circle = stored("curves", 5), told = frames_of("curves", 5);
  for (std::size_t i = 0; i < 24; ++i) {
    EXPECT_NEAR(std::hypot(circle[i], circle[24 + i]), told[2 * i + 1], 1e-5) << i;
  }
  for (std::uint64_t sample = 0; sample < 30; ++sample) {
    for (const float place : stored("curves", sample)) EXPECT_LE(std::abs(place), 1.25f);
  }
  train("curves", "run");
  done(sampling("run", {"--out", path("a.npz"), "--page", path("a.html")}));
  EXPECT_EQ(member(path("a.npz"), "samples", {4, 24, 2}).size(), 4u * 24 * 2);
  EXPECT_THAT(refused(synth("x", {"--sequences", "curves"})),
              HasSubstr("--sequences is given, and --length"));
  EXPECT_THAT(refused(synth("x", {"--length", "24", "--sequences", "curves", "--classes", "6"})),
              HasSubstr("6 classes of sequences asked for, 1 to 5"));
  EXPECT_THAT(refused(synth("curves", {"--length", "24"})), HasSubstr("--sequences"));
}

TEST_F(SequenceRuns, OutputsOfPicturesAreRefused) {
  synthesize("set");
  train("set", "run");
  for (const auto& [option, value] : std::vector<std::pair<std::string, std::string>>{
           {"--npz", path("x.npz")}, {"--out-dir", path("x")}, {"--columns", "2"}}) {
    EXPECT_THAT(
        refused(sampling("run", {"--out", path("y.npz"), option, value})),
        HasSubstr(option + " is of pictures, and MDTv2-Ti/1d makes sequences of 24 frames"));
  }
  EXPECT_THAT(refused(sampling("run", {"--out", path("x.png")})), HasSubstr(".npz"));
  EXPECT_THAT(refused({"memory", path("run"), "--quiet", "on"}),
              HasSubstr("edt memory has none to give"));
  EXPECT_FALSE(std::filesystem::exists(path("x")));
}

TEST_F(SequenceRuns, ModelsThatDoNotFitAreRefused) {
  synthesize("set");
  done(
      {"data", "synth", path("pictures"), "--image-size", "64", "--samples", "8", "--quiet", "on"});
  const auto refuse = [&](const std::string& data, const std::vector<std::string>& more) {
    std::vector<std::string> args = training(data, "run");
    args.insert(args.end(), more.begin(), more.end());
    return refused(args);
  };
  EXPECT_THAT(refuse("set", {"--model.sequence-length=32", "--model.frame-channels=0"}),
              HasSubstr("model.sequence-length is 32, and the data set has 24 frames"));
  EXPECT_THAT(refuse("set", {"--model.sequence-length=12"}),
              HasSubstr("model.sequence-length is 12, and the data set has 24 frames"));
  EXPECT_THAT(refuse("set", {"--model.channels=5"}),
              HasSubstr("model.channels is 5, and the data set has 6 numbers"));
  EXPECT_THAT(refuse("set", {"--model.frame-channels=3"}),
              HasSubstr("model.frame-channels is 3, and the data set has 2 numbers"));
  EXPECT_THAT(refuse("set", {"--model.image-size=64"}),
              HasSubstr("model.image-size is given, and model.sequence-length 24 are sequences"));
  EXPECT_THAT(refuse("set", {"--model=DiT-S/2", "--model.depths=1", "--train.masked=off"}),
              HasSubstr("takes multiples of 2 rows (patch 2)"));
  EXPECT_THAT(refuse("set", {"--model=EDT-Ti/2", "--model.patch=1", "--model.depths=1,1,1",
                             "--model.widths=16,16,16", "--model.heads=2,2,2"}),
              HasSubstr("takes multiples of 2 rows (patch 1 x 2 of 1 down-samplings)"));
  EXPECT_THAT(refuse("pictures", {}), HasSubstr("is of sequences, and the data set holds latents"));
  EXPECT_THAT(refuse("set", {"--run.sample-every=2"}),
              HasSubstr("makes sequences, of which no picture is drawn"));
  EXPECT_THAT(refuse("set", {"--run.evaluate-every=2"}),
              HasSubstr("which evaluations have none of"));
  EXPECT_FALSE(std::filesystem::exists(path("run")));
}

// Patches of one, and of EDT one stage: with frames too.
TEST_F(SequenceRuns, OtherFamiliesReadThem) {
  synthesize("set");
  train("set", "dit",
        {"--model=DiT-S/2", "--model.patch=1", "--model.depths=2", "--train.masked=off",
         "--model.positions=sincos+rope"});
  train("set", "edt",
        {"--model=EDT-Ti/2", "--model.patch=1", "--model.depths=2", "--train.masked=off",
         "--model.amm-blocks=1"});
  for (const char* run : {"dit", "edt"}) {
    done(sampling(run, {"--out", path("a.npz")}));
    done(sampling(run, {"--out", path("b.npz"), "--frames", "set:5"}));
    EXPECT_NE(member(path("a.npz"), "samples", {4, 24, 6}),
              member(path("b.npz"), "samples", {4, 24, 6}));
  }
}

TEST_F(SequenceRuns, ArePlannedWithoutData) {
  const Outcome outcome = done({"plan", "--model", "MDTv2-S/1d", "--model.frame-channels=32",
                                "--train.batch=64", "--ranks=2", "--cluster=8xh100"});
  EXPECT_THAT(outcome.out, HasSubstr("MDTv2-S/1d"));
  EXPECT_THAT(refused({"plan", "--model", "MDTv2-S/1d", "--model.image-size=256"}),
              HasSubstr("model.image-size is given, and MDTv2-S/1d are sequences"));
}

}  // namespace
}  // namespace edt::test
