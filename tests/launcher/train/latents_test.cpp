// Latents of any channels, height, width and factor: taken from the data set, trained on, sampled;
// shapes that do not fit are refused.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include "core/image/png.h"
#include "core/storage/hdf5.h"
#include "tests/launcher/train/edt_command.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_run.h"

namespace edt::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct LatentCase {
  std::string name;
  TinyLatents latents;
  std::vector<std::string> model;
};

std::vector<std::string> tiny_edt(const char* patch) {
  return {"--model=EDT-Ti/2", "--model.widths=8,12,16,12,8", "--model.heads=2,3,4,3,2",
          std::string("--model.patch=") + patch};
}
std::vector<std::string> tiny_mdtv2(const char* patch) {
  return {"--model=MDTv2-S/2", "--model.widths=16", "--model.heads=2", "--model.depths=2,1",
          std::string("--model.patch=") + patch};
}
std::vector<std::string> tiny_dit(const char* patch) {
  return {"--model=DiT-S/2",  "--model.widths=16",  "--model.heads=2",
          "--model.depths=2", "--train.masked=off", std::string("--model.patch=") + patch};
}

class LatentShapes : public testing::TestWithParam<LatentCase> {
 protected:
  std::filesystem::path path(const std::string& name) const { return directory_.path() / name; }
  std::vector<std::string> train(const std::string& run) const {
    std::vector<std::string> args{"train",
                                  "--data",
                                  path("set"),
                                  "--run.dir",
                                  path(run),
                                  "--train.batch=4",
                                  "--train.micro-batch=2",
                                  "--steps=2",
                                  "--run.checkpoint-every=0",
                                  "--run.memory-check=off"};
    const auto& model = GetParam().model;
    args.insert(args.end(), model.begin(), model.end());
    return args;
  }
  test::TempDir directory_;
};

TEST_P(LatentShapes, AreTakenFromTheDataTrainedOnAndSampled) {
  const TinyLatents& shape = GetParam().latents;
  write_tiny_data(path("set"), shape);
  const auto trained = edt_command(train("run"));
  ASSERT_EQ(trained.status, kDone) << trained.error;
  // Without the data set: the checkpoint says it all.
  std::filesystem::remove_all(path("set"));
  const auto sampled =
      edt_command({"sample", "--checkpoint", path("run"), "--images", "2", "--steps", "2",
                   "--latents", path("out.h5"), "--out", path("out.png"), "--memory-check=off"});
  ASSERT_EQ(sampled.status, kDone) << sampled.error;
  const h5::File file = h5::File::open(path("out.h5"));
  const auto size = [](int n) { return static_cast<std::uint64_t>(n); };
  EXPECT_EQ(file.dataset("latents").shape(),
            (h5::Shape{2, size(shape.channels), size(shape.height), size(shape.width)}));
  EXPECT_EQ(file.read_int("pixels_per_latent"), shape.factor);
  EXPECT_EQ(file.read_int("image_size"), shape.factor * shape.height);
  const Image grid = read_png(path("out.png"));  // a pixel for each latent, where no set says more
  EXPECT_EQ(grid.width, 2 * shape.width + 2);
  EXPECT_EQ(grid.height, shape.height);
  EXPECT_EQ(file.read_string("guided_channels"), shape.channels == 4 ? "first-three" : "all");
}

INSTANTIATE_TEST_SUITE_P(Shapes, LatentShapes,
                         testing::Values(LatentCase{"EdtF16c32", {32, 16, 16, 16}, tiny_edt("1")},
                                         LatentCase{"EdtF32c32", {32, 8, 8, 32}, tiny_edt("1")},
                                         LatentCase{"EdtPatch4", {4, 32, 32, 8}, tiny_edt("4")},
                                         LatentCase{"Mdtv2F16c32", {32, 8, 8, 16}, tiny_mdtv2("1")},
                                         LatentCase{"DitF32c32", {32, 8, 8, 32}, tiny_dit("1")},
                                         LatentCase{"EdtWide", {4, 8, 16, 8}, tiny_edt("2")},
                                         LatentCase{"EdtHigh", {4, 24, 8, 8}, tiny_edt("2")},
                                         LatentCase{"Mdtv2Wide", {4, 6, 16, 8}, tiny_mdtv2("2")},
                                         LatentCase{"DitWide", {4, 8, 16, 8}, tiny_dit("2")},
                                         LatentCase{"DitOneRow", {6, 1, 12, 8}, tiny_dit("1")}),
                         [](const auto& one) { return one.param.name; });

class LatentRefusals : public testing::Test {
 protected:
  std::string refusal(const TinyLatents& latents, std::vector<std::string> model,
                      const std::vector<std::string>& more = {}) {
    const test::TempDir directory;
    write_tiny_data(directory / "set", latents);
    model.insert(model.begin(), {"train", "--data", directory / "set", "--run.dir",
                                 directory / "run", "--train.batch=4", "--steps=1"});
    model.insert(model.end(), more.begin(), more.end());
    const auto run = edt_command(model);
    EXPECT_EQ(run.status, kWrongUsage) << run.error;
    EXPECT_FALSE(std::filesystem::exists(directory / "run"));
    return run.error;
  }
};

TEST_F(LatentRefusals, NameBothShapes) {
  EXPECT_THAT(refusal({32, 16, 16, 16}, tiny_edt("1"), {"--model.channels=16"}),
              HasSubstr("latents of 32 x 16 x 16, the model takes 16 x 16 x 16"));
  EXPECT_THAT(refusal({32, 16, 16, 16}, tiny_edt("1"), {"--model.image-size=512"}),
              AllOf(HasSubstr("latents of 32 x 16 x 16, the model takes 32 x 32 x 32"),
                    HasSubstr("model.image-size 256 would fit")));
  EXPECT_THAT(refusal({4, 10, 10, 16}, tiny_edt("1")),
              HasSubstr("model.image-size is 160, EDT-Ti/2 takes multiples of 64 (VAE 16 x patch 1 "
                        "x 4 of 2 down-samplings)"));
  EXPECT_THAT(refusal({4, 8, 12, 8}, tiny_edt("2")),
              HasSubstr("model.image-width is 96, EDT-Ti/2 takes multiples of 64 (VAE 8 x patch 2 "
                        "x 4 of 2 down-samplings)"));
  EXPECT_THAT(
      refusal({4, 8, 10, 8}, tiny_dit("4")),
      HasSubstr("model.image-width is 80, DiT-S/2 takes multiples of 32 (VAE 8 x patch 4)"));
}

// With statistics stored the model sees mean 0 and deviation 1, and samples have those of the data.
TEST(NormalizedLatents, ComeBackAsTheyWere) {
  const test::TempDir directory;
  write_tiny_data(directory / "set", {32, 4, 4, 16, true});
  auto args = tiny_dit("1");
  args.insert(args.begin(), {"train", "--data", directory / "set", "--run.dir", directory / "run",
                             "--train.batch=4", "--train.micro-batch=4", "--steps=1",
                             "--data.normalize=on", "--run.memory-check=off"});
  const auto trained = edt_command(args);
  ASSERT_EQ(trained.status, kDone) << trained.error;
  const auto sampled =
      edt_command({"sample", "--checkpoint", directory / "run", "--images", "1", "--steps", "2",
                   "--latents", directory / "out.h5", "--memory-check=off"});
  ASSERT_EQ(sampled.status, kDone) << sampled.error;
  const h5::File file = h5::File::open(directory / "out.h5");
  EXPECT_EQ(file.read_doubles("channel_mean").at(31), 31);
  EXPECT_EQ(file.read_doubles("channel_std").at(31), 2);
}

}  // namespace
}  // namespace edt::test
