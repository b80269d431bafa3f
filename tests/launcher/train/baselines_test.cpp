// MDTv2 and DiT through the program: resume, sampling, exchange, and options of other models.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <set>

#include "launcher/recipe/engine_config.h"
#include "tests/launcher/train/edt_command.h"
#include "tests/support/distilled.h"
#include "tests/support/message_of.h"
#include "tests/support/places.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"
#include "tests/support/tiny_run.h"

namespace edt::test {
namespace {

using ::testing::HasSubstr;

class Baselines : public testing::TestWithParam<std::string> {
 protected:
  Baselines() { write_tiny_data(directory_ / "set"); }
  TrainConfig config(const std::string& run, std::int64_t steps) const {
    TrainConfig config = tiny_config(directory_ / "set", path(run), GetParam());
    config.train.steps = steps;
    return config;
  }
  std::filesystem::path path(const std::string& name) const { return directory_.path() / name; }
  std::vector<std::string> model_options() const {
    return {"--model=" + GetParam() + "-S/2", "--model.image-size=128", "--model.widths=16",
            "--model.heads=2", GetParam() == "DiT" ? "--model.depths=2" : "--model.depths=2,1"};
  }

  TempDir directory_;
};

TEST_P(Baselines, GoOnWithTheSameBits) {
  ASSERT_EQ(run(config("whole", 4)), kDone);
  ASSERT_EQ(run(config("parts", 1)), kDone);
  ASSERT_EQ(run(config("parts", 4)), kDone);
  EXPECT_EQ(contents(path("whole")), contents(path("parts")));
}

TEST_P(Baselines, ExportAndImportKeepEveryBit) {
  ASSERT_EQ(run(config("run", 2)), kDone);
  const auto file = path("weights.safetensors"), imported = path("imported");
  const auto exported = edt_command({"ckpt", "export", "--checkpoint", path("run"), "--out", file});
  ASSERT_EQ(exported.status, kDone) << exported.error;
  std::vector<std::string> import{"ckpt", "import", file, "--out", imported};
  for (const std::string& option : model_options()) import.push_back(option);
  const auto in = edt_command(import);
  ASSERT_EQ(in.status, kDone) << in.error;
  const auto weights = contents(path("run")), back = contents(imported);
  std::size_t compared = 0;
  for (const auto& [name, values] : weights) {
    if (!name.starts_with("ema:")) continue;
    EXPECT_EQ(back.at("master:" + name.substr(4)), values) << name;
    ++compared;
  }
  EXPECT_GT(compared, 20u);
}

TEST_P(Baselines, SampleWithoutTheModulationMatrix) {
  ASSERT_EQ(run(config("run", 1)), kDone);
  const std::vector<std::string> sample{
      "sample", "--checkpoint", path("run"),    "--images",       "2", "--steps",
      "2",      "--latents",    path("out.h5"), "--power-cosine", "on"};
  const auto made = edt_command(sample);
  EXPECT_EQ(made.status, kDone) << made.error;
  EXPECT_TRUE(std::filesystem::exists(path("out.h5")));
  std::vector<std::string> with_amm = sample;
  with_amm.insert(with_amm.end(), {"--amm", "on"});
  const auto refused = edt_command(with_amm);
  EXPECT_EQ(refused.status, kWrongUsage);
  EXPECT_THAT(refused.error, HasSubstr("amm belongs to EDT, the model is " + GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Models, Baselines, testing::Values("MDTv2", "DiT"),
                         [](const auto& one) { return one.param; });

TrainConfig recipe_at(const std::filesystem::path& file) {
  TrainConfig config;
  OptionSet options("train", "");
  config.declare(options);
  options.read(parse_ini(read_text(file), file.string()));
  EXPECT_NO_THROW(config.validate()) << file;
  return config;
}

// The run that a recipe learns of is that of the recipe whose name it has.
void expect_teacher(const TrainConfig& config, const ModelConfig& model) {
  const std::string recipe = config.distill.from.filename().string() + ".ini";
  const TrainConfig teacher = recipe_at(in_sources("configs") / recipe);
  DistillationConfig distillation = test::distilled_from(
      teacher.model.resolve(1000), config.distill.output, config.distill.attention);
  distillation.after = config.distill.after;
  distillation.teacher_after = config.distill.teacher_after;
  EXPECT_NO_THROW(check_companions({.distillation = distillation}, model, objective_config(config)))
      << recipe;
}

// Every recipe is read, and is one for its model.
TEST(Recipes, FitTheirModels) {
  const auto folder = in_sources("configs");
  std::set<std::string> models, companions;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".ini") continue;
    TrainConfig config = recipe_at(entry.path());
    const ModelConfig model = config.model.resolve(1000);
    companions.insert(config.align.with.begin(), config.align.with.end());
    if (!config.distill.from.empty()) {
      companions.insert("distillation");
      expect_teacher(config, model);
      config.distill = {};
    }
    EXPECT_NO_THROW(config.check_recipe(model)) << entry.path();
    if (!model.as<EdtConfig>()) models.insert(model.name());
    if (model.as<DitConfig>() != nullptr) {
      EXPECT_EQ(config.optimizer.kind, OptimizerKind::kAdamW);
    }
    if (model.as<Mdtv2Config>() != nullptr) {
      EXPECT_EQ(config.train.clip, 1);
    }
  }
  EXPECT_EQ(models,
            (std::set<std::string>{"DiT-B/2", "DiT-S/2", "DiT-XL/2", "E-MMDiT", "LightningDiT-B/1",
                                   "LightningDiT-XL/1", "MDTv2-B/2", "MDTv2-S/1d", "MDTv2-S/2",
                                   "MDTv2-XL/2", "SiT-B/2", "SiT-L/2", "SiT-S/2", "SiT-XL/2"}));
  EXPECT_EQ(companions,
            (std::set<std::string>{"distillation", "features", "latent", "prototypes", "teacher"}));
}

class ForeignOptions : public testing::Test {
 protected:
  ForeignOptions() { write_tiny_data(directory_ / "set"); }
  std::string refusal(const std::string& kind, const std::function<void(TrainConfig&)>& change) {
    TrainConfig config = tiny_config(directory_ / "set", directory_ / "run", kind);
    change(config);
    const std::string message = message_of<UsageError>([&] { run(config); });
    EXPECT_FALSE(std::filesystem::exists(directory_ / "run"));
    return message;
  }

  TempDir directory_;
};

TEST_F(ForeignOptions, AreRefusedInOneLine) {
  EXPECT_EQ(refusal("DiT", [](TrainConfig& c) { c.train.masked = true; }),
            "[train] train.masked is on, but DiT-S/2 has no masked pass: turn it off");
  EXPECT_EQ(refusal("MDTv2", [](TrainConfig& c) { c.train.shared_noise = true; }),
            "[train] train.shared-noise is on, but the passes of MDTv2-S/2 share nothing: turn it "
            "off");
  EXPECT_EQ(refusal("MDTv2", [](TrainConfig& c) { c.model.sizes.depths = {4}; }),
            "[model] model.depths has 1 values, MDTv2-S/2 takes two: encoder,decoder");
  EXPECT_THAT(refusal("MDTv2",
                      [](TrainConfig& c) {
                        c.model.sizes.depths = {3, 1};
                      }),
              HasSubstr("model.depths is 3,1: an even number of encoder blocks"));
  EXPECT_THAT(refusal("DiT", [](TrainConfig& c) { c.model.sizes.heads = {3}; }),
              HasSubstr("model.heads 3 does not divide model.widths 16"));
}

}  // namespace
}  // namespace edt::test
