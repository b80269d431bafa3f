// Small files laid out as public extractors write them, imported by the commands of docs/data.md,
// trained on with the set's own statistics, and sampled.
#include <random>

#include "core/storage/hdf5.h"
#include "core/storage/safetensors.h"
#include "tests/launcher/data/import_cli.h"

namespace edt::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::uint64_t kWide = 32, kSide = 4, kOne = kWide * kSide * kSide;

// Latents as VA-VAE's are: each channel has a mean and a deviation of its own.
double mean_of(std::uint64_t channel) { return static_cast<double>(channel) / 8 - 2; }
double deviation_of_channel(std::uint64_t channel) {
  return 0.5 + static_cast<double>(channel % 4);
}

std::vector<float> wide_latents(std::uint64_t samples, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<float> values;
  for (std::uint64_t i = 0; i < samples * kOne; ++i) {
    const std::uint64_t channel = i / (kSide * kSide) % kWide;
    values.push_back(
        static_cast<float>(mean_of(channel) + deviation_of_channel(channel) * normal(random)));
  }
  return values;
}

class PublicExtractors : public DataCli {
 protected:
  void import_as_documented(const std::string& arguments) {
    const auto outcome = edt("data import --quiet --out set --classes 5 " + arguments, "2>&1");
    ASSERT_EQ(outcome.status, 0) << outcome.output;
  }
  // Steps on normalised latents, and latents back in the scale of the set.
  void train_and_sample(std::uint64_t samples) {
    const data::Dataset set(path("set"));
    const data::Description& d = set.description();
    EXPECT_EQ(set.size(), samples);
    EXPECT_EQ(d.channels, static_cast<int>(kWide));
    EXPECT_EQ(d.factor(), 16);
    for (std::uint64_t c = 0; c < kWide; ++c) {
      EXPECT_NEAR(d.channel_mean.at(c), mean_of(c), 0.3) << c;
      EXPECT_NEAR(d.channel_std.at(c), deviation_of_channel(c), 0.3) << c;
    }
    const auto trained =
        edt("train --quiet --data set --run.dir run --model DiT-S/2 --model.patch 1 "
            "--model.widths 16 --model.heads 2 --model.depths 2 --train.masked=off "
            "--data.normalize=on --train.batch 4 --train.micro-batch 4 --steps 3 "
            "--run.memory-check=off",
            "2>&1");
    ASSERT_EQ(trained.status, 0) << trained.output;
    const auto sampled = edt(
        "sample run --quiet --images 64 --batch 32 --steps 2 --latents out.h5 --memory-check=off",
        "2>&1");
    ASSERT_EQ(sampled.status, 0) << sampled.output;
    const h5::File file = h5::File::open(path("out.h5"));
    EXPECT_EQ(file.dataset("latents").shape(), (h5::Shape{64, kWide, kSide, kSide}));
    EXPECT_EQ(file.read_int("pixels_per_latent"), 16);
    for (std::uint64_t c = 0; c < kWide; ++c) {
      EXPECT_NEAR(file.read_doubles("channel_mean").at(c), mean_of(c), 0.3);
    }
  }
};

// LightningDiT's extract_features.py: shards of a rank, each with mirrored copies and labels.
TEST_F(PublicExtractors, LightningDiTsShardsOfVaVae) {
  fs::create_directories(path("vavae"));
  for (int shard = 0; shard < 2; ++shard) {
    const std::uint64_t samples = shard == 0 ? 40 : 23;
    SafetensorsWriter writer(
        path(fmt::format("vavae/latents_rank00_shard{:03}.safetensors", shard)),
        {{"latents", SafetensorsType::kF32, {samples, kWide, kSide, kSide}},
         {"latents_flip", SafetensorsType::kF32, {samples, kWide, kSide, kSide}},
         {"labels", SafetensorsType::kI64, {samples}}});
    writer.append_values<float>(wide_latents(samples, 1 + static_cast<std::uint32_t>(shard)));
    writer.append_values<float>(wide_latents(samples, 3 + static_cast<std::uint32_t>(shard)));
    writer.append_values<std::int64_t>(labels(0, samples));
    writer.finish();
  }
  EXPECT_THAT(refused("--latents vavae --vae-factor 16 --scale 1"), HasSubstr("--moments"))
      << "32 channels may be moments of 16";
  import_as_documented("--latents vavae --moments off --vae-factor 16 --scale 1 --statistics");
  const data::Dataset set(path("set"));
  EXPECT_TRUE(set.description().flipped);
  EXPECT_EQ(set.label(41), label_of(1));
  // The second shard follows the first; mirrored copies are its own.
  const auto first = wide_latents(1, 2);
  EXPECT_THAT(stored(40), testing::Pointwise(testing::FloatNear(4e-3f), first));
  EXPECT_NE(stored(40, true), stored(40));
  train_and_sample(63);
}

// REPA-E's cache_latents.py: the tree of files as groups of an HDF5 file, dataset.json as bytes.
class E2eVae : public PublicExtractors {
 protected:
  static constexpr std::uint64_t kCount = 48;

  static std::string name_of(std::uint64_t i) {
    return fmt::format("{:05}/img-mean-std-{:08}.npy", i / 10, i);
  }
  static std::string json_of(std::uint64_t count) {
    std::string text = "{\"labels\": [";
    for (std::uint64_t i = 0; i < count; ++i) {
      text += fmt::format("{}[\"{}\", {}]", i == 0 ? "" : ", ", name_of(i), label_of(i));
    }
    return text + "]}";
  }
  void write(const std::string& json) const {
    h5::File file = h5::File::create(path("e2e.h5"));
    for (std::uint64_t i = 0; i < kCount; ++i) {
      std::vector<float> values = wide_latents(1, 100 + static_cast<std::uint32_t>(i));
      values.resize(2 * kOne, 0.25f);  // deviations
      file.create_dataset(name_of(i), h5::Type::kFloat32, {2 * kWide, kSide, kSide})
          .write(h5::Type::kFloat32, values.data());
    }
    if (!json.empty()) {
      file.create_dataset("dataset.json", h5::Type::kUInt8, {json.size()})
          .write(h5::Type::kUInt8, json.data());
    }
    file.close();
  }
};

TEST_F(E2eVae, MomentsOfACacheOfRepaE) {
  write(json_of(kCount));
  import_as_documented("--latents e2e.h5 --moments std --vae-factor 16 --scale 1 --statistics");
  EXPECT_TRUE(data::Dataset(path("set")).description().moments);
  EXPECT_EQ(data::Dataset(path("set")).label(11), label_of(11));
  const auto values = stored(11);
  EXPECT_NEAR(values.at(3), wide_latents(1, 111).at(3), 4e-3);
  EXPECT_EQ(values.at(kOne), 0.25f);
  train_and_sample(kCount);
}

TEST_F(E2eVae, LabelsThatDoNotMatchAreRefused) {
  const std::string arguments = "--moments std --vae-factor 16 --scale 1 --latents e2e.h5";
  write(json_of(kCount - 1));
  EXPECT_THAT(refused(arguments), AllOf(HasSubstr("has no label for " + name_of(kCount - 1)),
                                        HasSubstr("48 files, 47 labels")));
  write(json_of(kCount + 1));
  EXPECT_THAT(refused(arguments), HasSubstr("has a label for " + name_of(kCount)));
  write("{\"labels\": null}");
  EXPECT_THAT(refused(arguments), HasSubstr("has no \"labels\""));
  write("{\"labels\": [");
  EXPECT_THAT(refused(arguments), HasSubstr("e2e.h5:/dataset.json"));
  h5::File::create(path("e2e.h5")).create_dataset("dataset.json", h5::Type::kFloat32, {3});
  EXPECT_THAT(refused(arguments), HasSubstr("the bytes of a JSON text are needed"));
  EXPECT_THAT(refused(arguments + " --unlabelled"), HasSubstr("holds no"));
}

}  // namespace
}  // namespace edt::test
