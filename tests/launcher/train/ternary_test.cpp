// Ternary weights through the program: going on, beginning with dense weights, and files of packed
// weights, whose samples have the bits of the checkpoint's.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <numeric>

#include "core/storage/hdf5.h"
#include "core/storage/safetensors.h"
#include "tests/launcher/train/edt_command.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_run.h"

namespace edt::test {
namespace {

using ::testing::HasSubstr;

constexpr const char* kWeight = "blocks.0.attn.qkv.weight";
constexpr const char* kScale = "blocks.0.attn.qkv.alphas";
constexpr const char* kNorm = "blocks.0.adaLN_modulation.2.weight";

std::string of(const char* array, const char* tensor) { return std::string(array) + ":" + tensor; }

class TernaryRun : public testing::Test {
 protected:
  TernaryRun() { write_tiny_data(directory_ / "set"); }

  TrainConfig config(const std::string& run, std::int64_t steps, bool ternary = true) const {
    TrainConfig config = tiny_config(directory_ / "set", path(run));
    config.train.steps = steps;
    if (ternary) config.model.weights = {WeightForm::kTernary, true};
    return config;
  }
  std::filesystem::path path(const std::string& name) const { return directory_.path() / name; }
  static std::string refusal(const TrainConfig& config) {
    return message_of<Error>([&] { run(config); });
  }
  // Of what was packed of a run, under `name`.
  std::filesystem::path packed(const std::string& run, const std::string& name) const {
    const auto exported = edt_command({"ckpt", "export", path(run), path(name), "--packed"});
    EXPECT_EQ(exported.status, kDone) << exported.error;
    EXPECT_THAT(exported.out, HasSubstr("in 2 bits for each value"));
    return path(name);
  }
  Outcome sampled(const std::filesystem::path& from, const std::string& out,
                  std::vector<std::string> more = {}) const {
    std::vector<std::string> args{"sample",  from, "--images",  "3",
                                  "--steps", "3",  "--latents", path(out)};
    args.insert(args.end(), more.begin(), more.end());
    return edt_command(args);
  }
  std::vector<float> latents(const std::string& file) const {
    return h5::File::open(path(file)).dataset("latents").read_all<float>(h5::Type::kFloat32);
  }

  TempDir directory_;
};

TEST_F(TernaryRun, GoesOnWithTheSameBits) {
  ASSERT_EQ(run(config("whole", 4)), kDone);
  ASSERT_EQ(run(config("parts", 1)), kDone);
  ASSERT_EQ(run(config("parts", 4)), kDone);
  const auto whole = contents(path("whole"));
  EXPECT_EQ(whole, contents(path("parts")));
  ASSERT_TRUE(whole.contains(of("master", kScale)));
  EXPECT_NE(whole.at(of("master", kScale)), whole.at(of("ema", kScale)));
  EXPECT_NE(whole.at(of("master", kNorm))[0], 0);  // it began there, and has moved
}

TEST_F(TernaryRun, CannotComeOrGoInARun) {
  ASSERT_EQ(run(config("dense", 1, false)), kDone);
  EXPECT_THAT(refusal(config("dense", 2)),
              HasSubstr("was trained with no part besides, now it is modulation-norm, ternary"));
  ASSERT_EQ(run(config("ternary", 1)), kDone);
  EXPECT_THAT(refusal(config("ternary", 2, false)),
              HasSubstr("was trained with modulation-norm, ternary, now it is no part besides"));
}

// Scales begin as the mean magnitude of what was loaded, not of what would have been drawn.
TEST_F(TernaryRun, BeginsWithTheScalesOfADenseRun) {
  ASSERT_EQ(run(config("dense", 2, false)), kDone);
  TrainConfig begun = config("begun", 1);
  begun.run.init_from = path("dense");
  begun.optimizer.rate.initial = 1e-30;  // keeps what it begins with
  begun.optimizer.ema_decay = 1;
  ASSERT_EQ(run(begun), kDone);
  const auto first = contents(path("dense"));
  auto second = contents(path("begun"));
  const auto& weight = first.at(of("ema", kWeight));
  EXPECT_EQ(second.at(of("ema", kWeight)), weight);
  const double mean = std::accumulate(weight.begin(), weight.end(), 0.0,
                                      [](double sum, double w) { return sum + std::fabs(w); }) /
                      static_cast<double>(weight.size());
  EXPECT_NEAR(second.at(of("master", kScale))[0], mean, 1e-6 * mean);
  EXPECT_EQ(second.at(of("ema", kScale)), second.at(of("master", kScale)));

  TrainConfig back = config("back", 1, false);
  back.run.init_from = path("begun");
  EXPECT_THAT(refusal(back), HasSubstr("is of another model, which lacks"));
}

TEST_F(TernaryRun, SamplesFromPackedWeightsAreTheSameBits) {
  ASSERT_EQ(run(config("run", 3)), kDone);
  const auto file = packed("run", "packed.safetensors");
  for (const char* dtype : {"float32", "bf16"}) {
    ASSERT_EQ(sampled(path("run"), "a.h5", {"--dtype", dtype}).status, kDone);
    const Outcome outcome = sampled(file, "b.h5", {"--dtype", dtype});
    ASSERT_EQ(outcome.status, kDone) << outcome.error;
    EXPECT_EQ(latents("a.h5"), latents("b.h5")) << dtype;
  }
  const SafetensorsReader reader(file);
  const SafetensorsEntry& weight = reader.entry(kWeight);
  EXPECT_EQ(weight.type, SafetensorsType::kU8);
  EXPECT_EQ(weight.bytes, 24 * 8 / 4u);
  EXPECT_EQ(reader.entry(kScale).type, SafetensorsType::kF32);
}

TEST_F(TernaryRun, OfWhatCannotBePackedOrRead) {
  ASSERT_EQ(run(config("run", 1)), kDone);
  ASSERT_EQ(run(config("dense", 1, false)), kDone);
  const auto file = packed("run", "packed.safetensors");
  const auto expect = [](const Outcome& outcome, const char* text) {
    EXPECT_EQ(outcome.status, 2);
    EXPECT_THAT(outcome.error, HasSubstr(text));
  };
  expect(edt_command({"ckpt", "export", path("dense"), path("no.safetensors"), "--packed"}),
         "--packed is for ternary weights, model.weights of");
  EXPECT_FALSE(std::filesystem::exists(path("no.safetensors")));
  expect(sampled(file, "c.h5", {"--weights", "raw"}), "--weights is raw");
  ASSERT_EQ(edt_command({"ckpt", "export", path("run"), path("plain.safetensors")}).status, kDone);
  expect(sampled(path("plain.safetensors"), "c.h5"),
         "is not of edt ckpt export --packed: edt ckpt import makes a run of it");
}

// The configuration in the file is that of another model.
TEST_F(TernaryRun, APackedFileOfAnotherModelIsRefused) {
  ASSERT_EQ(run(config("run", 1)), kDone);
  const auto file = packed("run", "packed.safetensors");
  std::string bytes;
  {
    std::ifstream in(file, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  const auto sampled_with = [&](const std::string& from, const std::string& to) {
    std::string changed = bytes;
    const auto at = changed.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    changed.replace(at, from.size(), to);
    std::ofstream(path("changed.safetensors"), std::ios::binary) << changed;
    const Outcome outcome = sampled(path("changed.safetensors"), "d.h5");
    EXPECT_EQ(outcome.status, 2);
    return outcome.error;
  };
  EXPECT_THAT(sampled_with("weights = ternary", "weights = dense  "),
              HasSubstr("is of another model"));
  EXPECT_THAT(sampled_with("modulation-norm = on", "modulation-norm=off "),
              HasSubstr("is of another model"));
}

}  // namespace
}  // namespace edt::test
