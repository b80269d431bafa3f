// edt sample on a tiny trained model: outputs, noise from files, independence of the batch.
#include <gmock/gmock-matchers.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/cpu/cpu_backend.h"
#include "core/image/png.h"
#include "core/json/json_text.h"
#include "core/storage/checksum.h"
#include "core/storage/hdf5.h"
#include "core/storage/npy.h"
#include "core/storage/safetensors.h"
#include "data/writer.h"
#include "launcher/autoencoder/latents_input.h"
#include "launcher/commands/table.h"
#include "model/diffusion/sample_noise.h"
#include "parallel/comm/self/self_communicator.h"
#include "tests/support/drawn_autoencoder.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"
#include "tests/support/tiny_run.h"

namespace edt::test {
namespace {

class SampleCommand : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory_ = new TempDir;
    write_tiny_data(*directory_ / "set", 48, true);
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

  static inline TempDir* directory_ = nullptr;
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

// All that another program needs, in both formats.
TEST_F(SampleCommand, LatentsSayHowTheyAreDecoded) {
  const std::vector<std::string> options{"--classes",   "2,4", "--seed",   "9",
                                         "--cfg-scale", "1.5", "--latents"};
  for (const char* name : {"notes.h5", "notes.safetensors"}) {
    auto args = options;
    args.push_back(path(name));
    ASSERT_EQ(sample_with(args), kDone);
  }
  const h5::File file = h5::File::open(path("notes.h5"));
  EXPECT_EQ(file.read_string("format"), "edt-latents");
  EXPECT_EQ(file.read_string("layout"), "N, C, H, W");
  EXPECT_EQ(file.read_int("channels"), 4);
  EXPECT_EQ(file.read_int("image_size"), 128);
  EXPECT_EQ(file.read_int("pixels_per_latent"), 8);
  EXPECT_EQ(file.read_double("scale"), 0.5);
  EXPECT_EQ(file.read_double("shift"), 0);
  EXPECT_THAT(file.read_doubles("channel_mean"), testing::ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(file.read_doubles("channel_std"), testing::ElementsAre(1, 1, 1, 1));
  EXPECT_EQ(file.read_string("class_names"), "a\nb\nc\nd\ne\n");
  EXPECT_EQ(file.read_int("seed"), 9);
  EXPECT_EQ(file.read_int("step"), 6);
  EXPECT_EQ(file.read_string("sampler"), "ddpm");
  EXPECT_EQ(file.read_ints("timesteps").size(), 4u);
  EXPECT_EQ(file.read_double("cfg_scale"), 1.5);
  EXPECT_THAT(file.read_ints("amm_blocks"), testing::ElementsAre(4));
  EXPECT_THAT(file.read_string("decode"), testing::HasSubstr("/ scale"));

  const SafetensorsReader tensors(path("notes.safetensors"));
  for (const auto& [key, text] : tensors.metadata()) EXPECT_TRUE(file.has_attribute(key)) << key;
  EXPECT_EQ(tensors.metadata().at("scale"), "0.5");
  EXPECT_EQ(tensors.metadata().at("channel_std"), "[1.0,1.0,1.0,1.0]");
  std::vector<float> values(2 * 4 * 16 * 16);
  tensors.read(tensors.entry("latents"), 0, std::span<float>(values));
  EXPECT_EQ(values, latents("notes.h5"));
  std::vector<std::int32_t> labels(2);
  tensors.read(tensors.entry("labels"), 0, std::span<std::int32_t>(labels));
  EXPECT_THAT(labels, testing::ElementsAre(2, 4));
  EXPECT_THAT(refusal({"--classes", "1", "--latents", path("x.npz")}),
              testing::HasSubstr("what is written there is .h5 .hdf5 .safetensors"));
}

// The checkpoint knows the scale also where the data set is gone; pictures are then no pictures.
TEST_F(SampleCommand, WithoutTheDataSetColoursAreFalse) {
  std::filesystem::rename(path("set"), path("elsewhere"));
  const auto all = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--classes", "1", "--latents", path("alone.h5"), "--out",
                             path("false.png"), "--out-dir", path("false"), "--json"});
    return sample_with(more);
  };
  ASSERT_EQ(all({}), kDone);
  EXPECT_EQ(parse_json(out_.str(), "output").at("false_colours"), true);
  EXPECT_EQ(h5::File::open(path("alone.h5")).read_double("scale"), 0.5);
  EXPECT_THAT(read_png(path("false.png")).comment, testing::StartsWith("false colours"));
  EXPECT_TRUE(std::filesystem::exists(path("false/000000-false-colours.png")));
  EXPECT_THAT(refusal({"--classes", "1", "--npz", path("false.npz")}),
              testing::AllOf(testing::HasSubstr("--npz"), testing::HasSubstr("false colours")));
  EXPECT_FALSE(std::filesystem::exists(path("false.npz")));
  out_.str("");
  ASSERT_EQ(all({"--data", path("elsewhere"), "--replace"}), kDone);
  EXPECT_EQ(parse_json(out_.str(), "output").at("false_colours"), false);
  EXPECT_EQ(read_png(path("false.png")).comment, "");
  EXPECT_FALSE(std::filesystem::exists(path("false/000000-false-colours.png")));
  std::filesystem::rename(path("elsewhere"), path("set"));
}

TEST_F(SampleCommand, ADataSetOfOtherLatentsIsRefused) {
  data::Description other;
  other.channels = 8;
  other.height = other.width = 16;
  other.image_size = 128;
  other.classes = 5;
  const auto write = [&](const std::string& name) {
    data::DatasetWriter writer(path(name), other, 1, {});
    const std::vector<float> latent(other.latent_elements(), 1.f);
    const std::int32_t label = 0;
    writer.append(latent, {}, std::span(&label, 1));
    writer.finish();
  };
  write("eight");
  EXPECT_THAT(refusal({"--classes", "1", "--data", path("eight"), "--out", path("x.png")}),
              testing::HasSubstr("latents of 8 channels, the model makes 4"));
  other.channels = 4;
  other.scale = 0.25;
  write("scaled");
  EXPECT_THAT(refusal({"--classes", "1", "--data", path("scaled"), "--out", path("x.png")}),
              testing::AllOf(testing::HasSubstr("scale 0.25"), testing::HasSubstr("scale 0.5")));
}

// The same pictures as from the file of latents, whatever the data set has for a decoder.
TEST_F(SampleCommand, AnAutoencoderMakesThePictures) {
  write_autoencoder(path("vae.safetensors"), kl_tensors({.widths = {8, 8, 8, 8}}));
  write_autoencoder(path("taesd.safetensors"), taesd_tensors(8, 4));
  const std::vector<std::string> vae{"--classes", "1,3", "--vae-groups", "4", "--vae"};
  const auto backend = make_cpu_backend();
  for (const char* name : {"vae", "taesd"}) {
    const std::string weights = path(std::string(name) + ".safetensors");
    auto args = vae;
    args.insert(args.end(), {weights, "--out-dir", path(name), "--latents", path("by-vae.h5")});
    ASSERT_EQ(sample_with(args), kDone);
    const LatentsInput latents = read_latents(path("by-vae.h5"));
    EXPECT_EQ(latents.scaling->scale, 0.5);
    const VaeDecoder decoder(Autoencoder::load(weights, *backend, {.norm_groups = 4}), 4,
                             *latents.scaling);
    const auto second = std::span(latents.values).subspan(latents.values.size() / 2);
    const Image expected = decoder.decode(second, 16, 16);
    const Image made = read_png(path(name) + "/000001.png");
    EXPECT_EQ(made.pixels, expected.pixels) << name;
    EXPECT_EQ(made.comment, "");
  }
  write_autoencoder(path("three.safetensors"), kl_tensors({.widths = {8, 8, 8, 8}, .latents = 3}));
  auto args = vae;
  args.insert(args.end(), {path("three.safetensors"), "--out", path("x.png")});
  EXPECT_THAT(refusal(args), testing::HasSubstr("has 3 channels, the model makes 4"));
}

// A set that says which autoencoder made it: another encoder's decoder is refused with both
// checksums, and what is missing is said.
TEST_F(SampleCommand, AnotherAutoencoderIsRefused) {
  write_autoencoder(path("vae.safetensors"), kl_tensors({.widths = {8, 8, 8, 8}}));
  const auto backend = make_cpu_backend();
  const std::string own =
      checksum_text(Autoencoder::load(path("vae.safetensors"), *backend, {.norm_groups = 4})
                        ->info()
                        .encoder_checksum);
  data::Description set;
  set.channels = 4;
  set.height = set.width = 16;
  set.image_size = 128;
  set.classes = 5;
  set.scale = 0.5;
  set.autoencoder = "AutoencoderKL f8 c4";
  for (const std::string& checksum : {own, std::string("0123456789abcdef")}) {
    set.autoencoder_checksum = checksum;
    const std::string data = path("by-" + checksum);
    data::DatasetWriter writer(data, set, 1, {});
    const std::int32_t label = 0;
    writer.append(std::vector<float>(set.latent_elements(), 1.f), {}, std::span(&label, 1));
    writer.finish();
    const std::vector<std::string> args{
        "--classes",    "1",          "--data", data,
        "--vae-groups", "4",          "--vae",  path("vae.safetensors"),
        "--out",        path("v.png")};
    if (checksum == own) {
      EXPECT_EQ(sample_with(args), kDone);
    } else {
      EXPECT_THAT(refusal(args),
                  testing::AllOf(testing::HasSubstr(own), testing::HasSubstr("0123456789abcdef")));
    }
  }
}

TEST_F(SampleCommand, PicturesOfAnEarlierCallAreNotMixedWith) {
  const std::vector<std::string> first{"--images", "3", "--out-dir", path("mixed")};
  ASSERT_EQ(sample_with(first), kDone);
  const std::vector<std::string> second{"--images", "2", "--out-dir", path("mixed")};
  EXPECT_THAT(refusal(second), testing::AllOf(testing::HasSubstr("pictures of an earlier call"),
                                              testing::HasSubstr("--replace")));
  EXPECT_TRUE(std::filesystem::exists(path("mixed/000002.png")));
  auto replacing = second;
  replacing.emplace_back("--replace");
  ASSERT_EQ(sample_with(replacing), kDone);
  EXPECT_TRUE(std::filesystem::exists(path("mixed/000001.png")));
  EXPECT_FALSE(std::filesystem::exists(path("mixed/000002.png")));
  write_text(path("mixed/cat.png"), "");
  EXPECT_THAT(refusal(replacing), testing::HasSubstr("cat.png, which is not of edt sample"));
}

// What a run takes as true of its data is kept with its weights.
TEST(LatentSpace, ComesBackFromACheckpoint) {
  data::Description data;
  data.channels = 2;
  data.scale = 0.13025;
  data.channel_mean = {0.1, -1.0 / 3};
  data.channel_std = {0.9, 1.1};
  const LatentSpace space = LatentSpace::of(data, true);
  const auto back =
      LatentSpace::of(CheckpointInfo{.extra = R"({"latents":)" + space.to_text() + "}"});
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->scale, space.scale);
  EXPECT_EQ(back->mean, data.channel_mean);
  EXPECT_EQ(back->std, data.channel_std);
  EXPECT_NO_THROW(back->require_same(space, "set"));
  EXPECT_THAT(
      message_of<DataError>([&] { back->require_same(LatentSpace::of(data, false), "set"); }),
      testing::HasSubstr("normalized by"));
  EXPECT_FALSE(LatentSpace::of(CheckpointInfo{}).has_value());
}

TEST(LatentSpace, RemembersTheAutoencoder) {
  data::Description data;
  data.channels = 2;
  data.autoencoder = "AutoencoderKL f8 c16";
  data.autoencoder_checksum = "00000000000000aa";
  data.shift = 0.1159;
  const LatentSpace space = LatentSpace::of(data, false);
  const auto back =
      LatentSpace::of(CheckpointInfo{.extra = R"({"latents":)" + space.to_text() + "}"});
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->autoencoder, "AutoencoderKL f8 c16");
  EXPECT_EQ(back->autoencoder_checksum, "00000000000000aa");
  EXPECT_EQ(back->shift, 0.1159);
  data.autoencoder_checksum = "00000000000000bb";
  EXPECT_THAT(
      message_of<DataError>([&] { back->require_same(LatentSpace::of(data, false), "set"); }),
      testing::AllOf(testing::HasSubstr("00000000000000aa"),
                     testing::HasSubstr("00000000000000bb")));
  data.autoencoder_checksum.clear();  // written before this was kept
  EXPECT_NO_THROW(back->require_same(LatentSpace::of(data, false), "set"));
  data.shift = 0;
  EXPECT_THAT(
      message_of<DataError>([&] { back->require_same(LatentSpace::of(data, false), "set"); }),
      testing::HasSubstr("0.1159"));
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
    for (std::size_t i = 0; i < whole.size(); ++i) {
      EXPECT_NEAR(parts[i], whole[i], 1e-4 + 1e-6 * std::abs(whole[i])) << name;
    }
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

// Of the run's own kind: its raw weights stand for an early checkpoint.
TEST_F(SampleCommand, AnotherCheckpointGuides) {
  TrainConfig smaller = tiny_config(path("set"), path("smaller"));
  smaller.model.sizes.widths = {4, 8, 8, 8, 4};
  smaller.model.sizes.heads = {2, 2, 2, 2, 2};
  smaller.train.steps = 1;
  run(smaller);
  const auto with = [&](std::vector<std::string> args) {
    args.insert(args.end(), {"--classes", "1", "--cfg-scale", "2", "--latents", path("g.h5")});
    EXPECT_EQ(sample_with(args), kDone);
    return latents("g.h5");
  };
  const auto by_itself = with({"--guide", path("run")});
  ASSERT_EQ(sample_with({"--classes", "1", "--cfg-scale", "1", "--latents", path("plain.h5")}),
            kDone);
  EXPECT_EQ(by_itself, latents("plain.h5"));
  const auto guided = with({"--guide", path("smaller")});
  EXPECT_NE(guided, by_itself);
  EXPECT_NE(guided, with({}));
  EXPECT_NE(guided, with({"--guide", path("smaller"), "--guidance-interval", "0.4,0.8"}));
  with({"--guide", path("smaller"), "--cache", "fora", "--cache-interval", "2"});
  const h5::File file = h5::File::open(path("g.h5"));
  EXPECT_EQ(file.read_int("guide_step"), 1);
  EXPECT_EQ(file.read_string("guide_model"), "EDT-Ti/2");
  EXPECT_THAT(file.read_string("guide"), testing::HasSubstr("smaller"));

  // What does not fit is named, with both.
  const auto refused = [&](const std::string& name, auto change) {
    TrainConfig other = tiny_config(path("set"), path(name));
    other.train.steps = 1;
    change(other);
    run(other);
    return refusal({"--classes", "1", "--guide", path(name), "--out", path("x.png")});
  };
  EXPECT_THAT(refused("flow",
                      [](TrainConfig& c) {
                        c.model.process = {.config = ProcessConfig::flow(), .declared = true};
                        c.train.loss.snr_gamma = 0;
                        c.train.times.sampling = TimeSampling::kUniform;
                      }),
              testing::AllOf(testing::HasSubstr("the process is a linear flow"),
                             testing::HasSubstr("has ddpm that predicts noise and variance")));
  write_tiny_data(path("wide-set"), TinyLatents{.width = 32});
  EXPECT_THAT(refused("wide",
                      [](TrainConfig& c) {
                        c.data.path = path("wide-set");
                        c.model.image_width = 256;
                      }),
              testing::AllOf(testing::HasSubstr("latents are 4 x 16 x 32"),
                             testing::HasSubstr("has 4 x 16 x 16")));
  EXPECT_THAT(refusal({"--classes", "1", "--guide", path("run"), "--cfg-scale", "1", "--out",
                       path("x.png")}),
              testing::HasSubstr("--cfg-scale 1 is no guidance"));
  EXPECT_THAT(refusal({"--classes", "1", "--guide", path("none"), "--out", path("x.png")}),
              testing::HasSubstr("none"));
}

TEST_F(SampleCommand, RefusesWhatCannotBeDone) {
  EXPECT_THAT(refusal({"--classes", "5", "--out", path("x.png")}),
              testing::HasSubstr("names 5, the model has classes 0 to 4"));
  EXPECT_THAT(refusal({"--classes", "1"}), testing::HasSubstr("nothing to write"));
  EXPECT_THAT(refusal({"--out", path("x.png")}), testing::HasSubstr("neither"));
  EXPECT_THAT(refusal({"--images", "3", "--per-class", "2", "--out", path("x.png")}),
              testing::HasSubstr("--per-class 2 are both given"));
  EXPECT_THAT(refusal({"--classes", "1", "--amm-blocks", "6", "--out", path("x.png")}),
              testing::HasSubstr("model.amm-blocks names block 6, the model has 6: 0 to 5"));
  EXPECT_THAT(refusal({"--classes", "1,2", "--init-noise", path("all.h5"), "--out", path("x.png")}),
              testing::HasSubstr("all.h5"));
  EXPECT_THAT(refusal({"--classes", "1", "--checkpoint", path("nowhere"), "--out", path("x.png")}),
              testing::HasSubstr("nowhere"));
  EXPECT_THAT(refusal({"--classes", "1", "--vae", "", "--out", path("x.png")}),
              testing::HasSubstr("--vae names no file"));
  EXPECT_THAT(refusal({"--classes", "1", "--vae-tile", "32", "--out", path("x.png")}),
              testing::HasSubstr("--vae-tile is given without --vae"));
  // A grid that libpng would refuse after the last picture: 8 columns of 2 + 128 pixels.
  EXPECT_THAT(refusal({"--images", "70000", "--columns", "8", "--out", path("x.png")}),
              testing::AllOf(testing::HasSubstr("70000 pictures in 8 columns make 1038 x 1137498"),
                             testing::HasSubstr("--out-dir")));
  EXPECT_FALSE(std::filesystem::exists(path("x.png")));
}

// What is read would be gone.
TEST_F(SampleCommand, WritesOverNoneOfItsInputs) {
  std::filesystem::create_directories(path("weights"));
  write_autoencoder(path("weights/diffusion_pytorch_model.safetensors"),
                    kl_tensors({.widths = {8, 8, 8, 8}}));
  const std::string weights = path("weights/diffusion_pytorch_model.safetensors");
  for (const std::string& vae : {weights, path("weights")}) {
    EXPECT_THAT(
        refusal({"--classes", "1", "--vae", vae, "--vae-groups", "4", "--latents", weights}),
        testing::HasSubstr("would be replaced, and is read"));
  }
  const auto first_file = [](const std::filesystem::path& directory) {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      if (entry.path().extension() == ".h5") return entry.path().string();
    }
    return std::string();
  };
  const std::string shard = first_file(path("set")),
                    rank = first_file(path("run/checkpoints/step-000006"));
  for (const std::string& file : {shard, rank}) {
    ASSERT_NE(file, "");
    EXPECT_THAT(refusal({"--classes", "1", "--latents", file}),
                testing::HasSubstr("would be replaced, and is read"));
  }
}

}  // namespace
}  // namespace edt::test
