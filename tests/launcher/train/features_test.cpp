// REPA through the program: features of the data set, averaged, with the same bits after an
// interruption; and what does not fit.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include "core/random/stream.h"
#include "data/writer.h"
#include "tests/launcher/train/edt_command.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_run.h"

namespace edt::test {
namespace {

using ::testing::HasSubstr;

// Latents of 16 x 16 in 5 classes, mirrored copies too, and arrays [tokens, 12] beside them.
struct TinyFeatures {
  std::vector<std::string> names{"dino"};
  std::uint64_t tokens = 64;
  bool flipped = true;
  std::uint64_t seed = 7;

  void write(const std::filesystem::path& directory) const {
    data::Description d;
    d.channels = 4;
    d.height = d.width = 16;
    d.image_size = 128;
    d.classes = 5;
    d.flipped = true;
    for (const std::string& name : names) {
      d.arrays.push_back({name, {tokens, 12}, h5::Type::kFloat16, flipped});
    }
    data::DatasetWriter writer(directory, d, 32, {.samples_per_shard = 20});
    std::vector<float> latent(d.latent_elements()), mirrored(latent.size()), values(tokens * 12);
    for (std::uint32_t i = 0; i < 32; ++i) {
      random::fill_normal({.seed = 1, .sample = i}, latent);
      random::fill_normal({.seed = 2, .sample = i}, mirrored);
      std::vector<data::StoredSamples> arrays(d.arrays.size());
      for (std::size_t a = 0; a < arrays.size(); ++a) {
        random::fill_normal({.seed = seed + a, .sample = i}, values);
        append_stored(d.arrays[a], values, arrays[a].plain);
        random::fill_normal({.seed = seed + a, .sample = 100 + i}, values);
        if (flipped) append_stored(d.arrays[a], values, arrays[a].flipped);
      }
      const auto label = static_cast<std::int32_t>(i % 5);
      writer.append(latent, mirrored, std::span(&label, 1), arrays);
    }
    writer.finish();
  }
};

class FeatureRun : public testing::Test {
 protected:
  std::filesystem::path path(const std::string& name) const { return directory_.path() / name; }
  TrainConfig config(const std::string& run, std::int64_t steps) const {
    TrainConfig config = tiny_config(path("set"), path(run));
    config.train.steps = steps;
    config.align.with = {"features"};
    config.align.arrays = {"dino"};
    config.align.dims = {12};
    config.align.features.projector = 16;
    return config;
  }
  static std::string refusal(const TrainConfig& config) {
    return message_of<Error>([&] { run(config); });
  }

  TempDir directory_;
};

// 16 tokens in the second stage of an EDT on latents of 16 x 16: averages of 2 x 2 of 64.
TEST_F(FeatureRun, GoesOnWithTheSameBits) {
  TinyFeatures{}.write(path("set"));
  ASSERT_EQ(run(config("whole", 4)), kDone);
  ASSERT_EQ(run(config("parts", 1)), kDone);
  ASSERT_EQ(run(config("parts", 4)), kDone);
  const auto whole = contents(path("whole"));
  EXPECT_EQ(whole, contents(path("parts")));
  EXPECT_TRUE(whole.contains("master:projectors.0.4.weight"));
  const auto metrics = metrics_of(path("whole"));
  EXPECT_NEAR(metrics[0]["beside"]["align_dino"].get<double>(), 1, 0.3);
  EXPECT_NE(metrics[1]["beside"]["align_dino"], metrics[0]["beside"]["align_dino"]);
}

TEST_F(FeatureRun, OtherFeaturesAreAnotherCurve) {
  TinyFeatures{}.write(path("set"));
  ASSERT_EQ(run(config("run", 1)), kDone);
  std::filesystem::remove_all(path("set"));
  TinyFeatures{.seed = 8}.write(path("set"));
  EXPECT_THAT(refusal(config("run", 2)), HasSubstr("data set's checksum of array dino"));
}

TEST_F(FeatureRun, FromTheCommandLine) {
  TinyFeatures{.names = {"clip", "dino"}}.write(path("set"));
  const std::vector<std::string> start{
      "train",           "--model=EDT-Ti/2",      "--data",    path("set"),
      "--train.batch=4", "--train.micro-batch=2", "--steps=1", "--align.features.projector=8"};
  const auto edt = [&](std::vector<std::string> more) {
    std::vector<std::string> args = start;
    args.insert(args.end(), more.begin(), more.end());
    return edt_command(args);
  };
  const Outcome both = edt({"--align.with=latent,features", "--align.features.arrays=dino,clip",
                            "--run.dir", path("run")});
  ASSERT_EQ(both.status, kDone) << both.error;
  EXPECT_THAT(edt_command({"ckpt", "info", path("run")}).out, HasSubstr("align.features"));
  const auto first = metrics_of(path("run"))[0]["beside"];
  EXPECT_TRUE(first.contains("align_dino") && first.contains("align_clip") &&
              first.contains("align_latent"));
  EXPECT_THAT(edt({"--align.with=features", "--run.dir", path("none")}).error,
              HasSubstr("align.features.arrays names no array"));
  EXPECT_THAT(
      edt({"--align.with=features", "--align.features.arrays=dino2", "--run.dir", path("none")})
          .error,
      HasSubstr("no 'dino2' beside its latents; there are: clip 64 x 12 float16"));
  EXPECT_THAT(edt({"--align.with=features", "--align.features.arrays=dino",
                   "--align.features.dims=13", "--run.dir", path("none")})
                  .error,
              HasSubstr("array 'dino' has [64, 12] for each sample, [16, 13] are asked for"));
  EXPECT_THAT(edt({"--align.features.projector=9", "--run.dir", path("none")}).error,
              HasSubstr("align.features.projector is used only when align.with is features"));
  EXPECT_FALSE(std::filesystem::exists(path("none")));
}

// 4 x 16 x 16 latents and 64 x 12 features, both float16; without a data set as many tokens as the
// block has.
TEST_F(FeatureRun, APlanSaysWhatReadingTakes) {
  TinyFeatures{}.write(path("set"));
  std::vector<std::string> args{"plan",
                                "--model=EDT-Ti/2",
                                "--search=off",
                                "--train.batch=8",
                                "--train.micro-batch=8",
                                "--ranks=1",
                                "--align.with=features",
                                "--align.features.arrays=dino"};
  EXPECT_THAT(edt_command(args).error, HasSubstr("align.features.dims: nobody says"));
  args.push_back("--align.features.dims=12");
  EXPECT_THAT(edt_command(args).out, HasSubstr("data: 9.50 KiB of each image (as float16)"));
  args.insert(args.end(), {"--data", path("set")});
  EXPECT_THAT(edt_command(args).out, HasSubstr("data: 3.50 KiB of each image"));
}

TEST_F(FeatureRun, MirroredCopiesAreNeededWhereTheyAreDrawn) {
  TinyFeatures{.flipped = false}.write(path("set"));
  EXPECT_THAT(refusal(config("run", 1)),
              HasSubstr("data.flip is on and the latents have mirrored copies, array 'dino' has "
                        "none"));
  TrainConfig straight = config("straight", 1);
  straight.data.flip = false;
  EXPECT_EQ(run(straight), kDone);
}

TEST_F(FeatureRun, AGridThatDoesNotFit) {
  TinyFeatures{.tokens = 36}.write(path("set"));
  EXPECT_THAT(refusal(config("run", 1)),
              HasSubstr("'dino' has [36, 12] for each sample, [16, 12]"));
}

}  // namespace
}  // namespace edt::test
