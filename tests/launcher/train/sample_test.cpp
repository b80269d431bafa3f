// edt sample on a tiny trained model: outputs, noise from files, independence of the batch.
#include <gmock/gmock.h>

#include <sstream>

#include "core/storage/hdf5.h"
#include "core/storage/npy.h"
#include "launcher/commands/table.h"
#include "model/diffusion/sample_noise.h"
#include "parallel/self/self_communicator.h"
#include "tests/support/tiny_run.h"

namespace edt::test {
namespace {

class SampleCommand : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory_ = new TemporaryDirectory;
    write_tiny_data(*directory_ / "set");
    TrainConfig config = tiny_config(*directory_ / "set", *directory_ / "run");
    config.optimizer.rate.initial = 0.05;  // far enough from the zero output of a fresh model
    run(config);
  }
  static void TearDownTestSuite() { delete directory_; }

  static std::string path(const std::string& name) { return (*directory_ / name).string(); }

  int sample_with(std::vector<std::string> args) {
    args.insert(args.begin(), {"--checkpoint", path("run"), "--steps", "4", "--quiet", "on"});
    const auto ranks = make_self_communicator();
    CommandContext context{out_, error_, *ranks};
    return sample(args, context);
  }
  std::vector<float> latents(const std::string& name) {
    return h5::File::open(path(name)).dataset("latents").read_all<float>(h5::Type::kFloat32);
  }
  std::string refusal(std::vector<std::string> args) {
    return message_of<Error>([&] { sample_with(std::move(args)); });
  }

  static inline TemporaryDirectory* directory_ = nullptr;
  std::ostringstream out_, error_;
};

TEST_F(SampleCommand, WritesEveryKindOfOutput) {
  ASSERT_EQ(
      sample_with({"--classes", "0,3", "--per-class", "2", "--out", path("grid.png"), "--out-dir",
                   path("single"), "--latents", path("all.h5"), "--npz", path("all.npz")}),
      kDone);
  EXPECT_EQ(read_png(path("single/000003.png")).width, 128);
  EXPECT_GT(read_png(path("grid.png")).width, 2 * 128);
  const h5::File file = h5::File::open(path("all.h5"));
  EXPECT_EQ(file.dataset("latents").shape(), (h5::Shape{4, 4, 16, 16}));
  EXPECT_THAT(file.dataset("labels").read_all<std::int32_t>(h5::Type::kInt32),
              testing::ElementsAre(0, 0, 3, 3));
  EXPECT_THAT(read_text(path("all.npz")).substr(0, 2), "PK");
}

TEST_F(SampleCommand, PicturesDoNotDependOnTheBatch) {
  for (const char* batch : {"1", "3", "5"}) {
    ASSERT_EQ(sample_with({"--images", "5", "--batch", batch, "--latents",
                           path(std::string("batch") + batch)}),
              kDone);
  }
  const auto whole = latents("batch5");
  for (const char* name : {"batch1", "batch3"}) {
    const auto parts = latents(name);
    ASSERT_EQ(parts.size(), whole.size());
    // Matrix products of another height may add in another order: float32 rounding.
    for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(parts[i], whole[i], 1e-4) << name;
  }
}

TEST_F(SampleCommand, NoiseFromAFileStandsForTheSeed) {
  ASSERT_EQ(sample_with({"--classes", "1,2", "--seed", "7", "--latents", path("seeded.h5")}),
            kDone);
  std::vector<float> z(2 * 4 * 16 * 16), steps(4 * z.size());
  fill_initial_noise(7, 0, view_of(std::span(z), {2, 4, 16, 16}));
  const StepNoise noise = keyed_step_noise(7, 0);
  for (int step = 0; step < 4; ++step) {
    const auto part = std::span(steps).subspan(static_cast<std::size_t>(step) * z.size(), z.size());
    noise(step, view_of(part, {2, 4, 16, 16}));
  }
  {
    h5::File file = h5::File::create(path("noise.h5"));
    file.create_dataset("z", h5::Type::kFloat32, {2, 4, 16, 16})
        .write(h5::Type::kFloat32, z.data());
    file.create_dataset("step_noise", h5::Type::kFloat32, {4, 2, 4, 16, 16})
        .write(h5::Type::kFloat32, steps.data());
    file.close();
  }
  ASSERT_EQ(sample_with({"--classes", "1,2", "--seed", "8", "--init-noise", path("noise.h5"),
                         "--step-noise", path("noise.h5"), "--latents", path("given.h5")}),
            kDone);
  EXPECT_EQ(latents("given.h5"), latents("seeded.h5"));
}

TEST_F(SampleCommand, OptionsChangeThePictures) {
  const auto with = [&](std::vector<std::string> args) {
    args.insert(args.end(), {"--classes", "1", "--latents", path("changed.h5")});
    EXPECT_EQ(sample_with(args), kDone);
    return latents("changed.h5");
  };
  const auto plain = with({});
  EXPECT_NE(with({"--amm", "off"}), plain);
  EXPECT_NE(with({"--amm-blocks", "0"}), plain);
  EXPECT_NE(with({"--cfg-scale", "1"}), plain);
  EXPECT_NE(with({"--guided-channels", "all"}), plain);
  EXPECT_NE(with({"--sampler", "ddim"}), plain);
  EXPECT_NE(with({"--weights", "raw"}), plain);
  EXPECT_NE(with({"--seed", "1"}), plain);
  EXPECT_EQ(with({}), plain);
}

TEST_F(SampleCommand, RefusesWhatCannotBeDone) {
  EXPECT_THAT(refusal({"--classes", "5", "--out", path("x.png")}),
              testing::HasSubstr("names 5, the model has classes 0 to 4"));
  EXPECT_THAT(refusal({"--classes", "1"}), testing::HasSubstr("nothing to write"));
  EXPECT_THAT(refusal({"--out", path("x.png")}), testing::HasSubstr("neither"));
  EXPECT_THAT(refusal({"--images", "3", "--per-class", "2", "--out", path("x.png")}),
              testing::HasSubstr("--per-class 2 are both given"));
  EXPECT_THAT(refusal({"--classes", "1", "--amm-blocks", "6", "--out", path("x.png")}),
              testing::HasSubstr("block 6 is asked for"));
  EXPECT_THAT(refusal({"--classes", "1,2", "--init-noise", path("all.h5"), "--out", path("x.png")}),
              testing::HasSubstr("all.h5"));
  EXPECT_THAT(refusal({"--classes", "1", "--checkpoint", path("nowhere"), "--out", path("x.png")}),
              testing::HasSubstr("nowhere"));
  EXPECT_FALSE(std::filesystem::exists(path("x.png")));
}

}  // namespace
}  // namespace edt::test
