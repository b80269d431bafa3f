// edt ckpt import: files as people have them become runs that can be trained on.
#include <bit>

#include "core/reference/reference_backend.h"
#include "tests/launcher/weights/weights_fixture.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ImportedWeights : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory_ = new TempDir;
    write_tiny_data(*directory_ / "set");
    TrainConfig config = tiny_config(*directory_ / "set", *directory_ / "run");
    config.train.steps = 1;
    run(config);
    ASSERT_EQ(
        edt_command({"ckpt", "export", "--checkpoint", path("run"), "--out", path("w")}).status,
        kDone);
  }
  static void TearDownTestSuite() { delete directory_; }
  static std::string path(const std::string& name) { return (*directory_ / name).string(); }

  static std::vector<FileTensor> weights() { return read_tensors(path("w")); }

  // Imports the file `tensors` into a new run; `out_` is its name.
  Outcome import(const std::vector<FileTensor>& tensors, std::vector<std::string> more = {}) {
    write_tensors(path("file.safetensors"), tensors);
    out_ = path("imported-" + std::to_string(++count_));
    std::vector<std::string> args{"ckpt", "import", path("file.safetensors"), "--out", out_};
    for (const char* option : {"--model=EDT-Ti/2", "--model.image-size=128",
                               "--model.widths=8,12,16,12,8", "--model.heads=2,3,4,3,2"}) {
      args.emplace_back(option);
    }
    args.insert(args.end(), more.begin(), more.end());
    return edt_command(args);
  }
  static std::vector<FileTensor> renamed(std::vector<FileTensor> tensors,
                                         const std::string& prefix) {
    for (FileTensor& tensor : tensors) tensor.name = prefix + tensor.name;
    return tensors;
  }
  void expect_weights(double tolerance) {
    const auto there = contents(out_);
    for (const FileTensor& tensor : weights()) {
      const auto found = there.find("master:" + tensor.name);
      if (found == there.end()) continue;  // a table
      for (std::size_t i = 0; i < tensor.values.size(); ++i) {
        const double value = tensor.values[i];
        ASSERT_NEAR(found->second[i], value, tolerance * std::abs(value) + 1e-7) << tensor.name;
      }
    }
  }

  static inline TempDir* directory_ = nullptr;
  static inline int count_ = 0;
  std::string out_;
};

// Position tables are rounded with all the rest.
TEST_F(ImportedWeights, OfNarrowTypesThroughout) {
  struct Narrow {
    SafetensorsType type;
    double rounding;
    const char* name;
  };
  for (const Narrow& narrow : {Narrow{SafetensorsType::kF16, 0x1p-11, "F16"},
                               {SafetensorsType::kBF16, 0x1p-8, "BF16"},
                               {SafetensorsType::kF64, 0, "F64"}}) {
    auto tensors = weights();
    for (FileTensor& tensor : tensors) tensor.type = narrow.type;
    const Outcome result = import(tensors);
    ASSERT_EQ(result.status, kDone) << result.error;
    EXPECT_THAT(result.out, HasSubstr(std::string("tensors are stored as ") + narrow.name));
    expect_weights(narrow.rounding);
  }
}

// Converters that cut the low bits off, and files that are wide again, were refused for their
// tables.
TEST_F(ImportedWeights, CutOffAndWidenedAgain) {
  for (const bool widened : {false, true}) {
    auto tensors = weights();
    for (FileTensor& tensor : tensors) {
      if (!widened) tensor.type = SafetensorsType::kBF16;
      for (float& value : tensor.values) {
        value = std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) & 0xffff0000u);
      }
    }
    const Outcome result = import(tensors);
    ASSERT_EQ(result.status, kDone) << result.error;
    expect_weights(0x1p-7);
  }
}

TEST_F(ImportedWeights, ATableOfAnotherModelIsRefusedInAnyType) {
  for (const SafetensorsType type : {SafetensorsType::kF32, SafetensorsType::kBF16}) {
    auto tensors = weights();
    for (FileTensor& tensor : tensors) {
      tensor.type = type;
      if (tensor.name == "pos_embed") tensor.values[5] += 0.02f;
    }
    const Outcome result = import(tensors);
    EXPECT_EQ(result.status, kWrongUsage);
    EXPECT_THAT(result.error, HasSubstr("pos_embed element 5"));
    EXPECT_FALSE(std::filesystem::exists(out_));
  }
}

TEST_F(ImportedWeights, UnderAnyPrefix) {
  for (const char* prefix : {"module.", "_orig_mod.", "model.", "ema.", "net.", "state_dict.",
                             "state_dict.ema._orig_mod.module.", "ema_model."}) {
    const Outcome result = import(renamed(weights(), prefix));
    ASSERT_EQ(result.status, kDone) << prefix << result.error;
    EXPECT_THAT(result.out, HasSubstr(std::string("all names begin with ") + prefix));
    expect_weights(0);
  }
}

TEST_F(ImportedWeights, RawAndAveragedInOneFileAreChosen) {
  auto tensors = renamed(weights(), "model.");
  for (FileTensor& tensor : tensors) {
    if (tensor.name != "model.x_embedder.proj.bias") continue;
    for (float& value : tensor.values) value += 1;
  }
  for (FileTensor& tensor : renamed(weights(), "ema.")) tensors.push_back(std::move(tensor));
  const Outcome both = import(tensors);
  EXPECT_EQ(both.status, kWrongUsage);
  EXPECT_THAT(both.error, AllOf(HasSubstr("'ema.' and 'model.'"), HasSubstr("--prefix chooses")));
  EXPECT_FALSE(std::filesystem::exists(out_));

  const Outcome average = import(tensors, {"--prefix", "ema."});
  ASSERT_EQ(average.status, kDone) << average.error;
  EXPECT_THAT(average.out, HasSubstr("model.x_embedder.proj.bias")) << "not taken, so it is named";
  expect_weights(0);
  ASSERT_EQ(import(tensors, {"--prefix=model."}).status, kDone);
  EXPECT_NEAR(contents(out_).at("master:x_embedder.proj.bias")[0],
              contents(path("run")).at("ema:x_embedder.proj.bias")[0] + 1, 1e-6);
  EXPECT_THAT(import(tensors, {"--prefix=nothing."}).error,
              AllOf(HasSubstr("'nothing.'"), HasSubstr("'ema.' and 'model.'")));
}

TEST_F(ImportedWeights, WithoutPrefixBesideAnAverage) {
  auto tensors = weights();
  for (FileTensor& tensor : renamed(weights(), "ema.")) tensors.push_back(std::move(tensor));
  EXPECT_THAT(import(tensors).error, HasSubstr("'' and 'ema.'"));
  EXPECT_EQ(import(tensors, {"--prefix", ""}).status, kDone);
}

// What is not of the model is never left out without a word.
TEST_F(ImportedWeights, OtherTensorsNeedAPrefixToBeLeft) {
  auto tensors = renamed(weights(), "model.");
  tensors.push_back({"vae.weight", SafetensorsType::kF32, {2}, {1, 2}});
  const Outcome refused = import(tensors);
  EXPECT_EQ(refused.status, kWrongUsage);
  EXPECT_THAT(refused.error,
              AllOf(HasSubstr("no tensor vae.weight"), HasSubstr("--prefix 'model.'")));
  const Outcome taken = import(tensors, {"--prefix=model."});
  ASSERT_EQ(taken.status, kDone) << taken.error;
  EXPECT_THAT(taken.out, HasSubstr("vae.weight"));
}

TEST_F(ImportedWeights, FreshPartsHaveOtherShapesAndTheRestIsExact) {
  EXPECT_THAT(import(weights(), {"--model.classes=9"}).error,
              AllOf(HasSubstr("--model.classes is 9"), HasSubstr("--fresh label-table")));
  EXPECT_THAT(import(weights(), {"--fresh=label-table"}).error, HasSubstr("needs --model.classes"));
  const Outcome result =
      import(weights(), {"--fresh=label-table,final-layer", "--model.classes=9", "--seed=3"});
  ASSERT_EQ(result.status, kDone) << result.error;
  EXPECT_THAT(result.out, HasSubstr("drawn anew: y_embedder.embedding_table.weight, "));
  const auto before = contents(path("run")), after = contents(out_);
  EXPECT_EQ(after.at("master:y_embedder.embedding_table.weight").size(), 10u * 8);
  EXPECT_EQ(after.at("master:final_layer.linear.weight"),
            std::vector<double>(after.at("master:final_layer.linear.weight").size(), 0.0));
  EXPECT_EQ(after.at("ema:blocks.2.attn.qkv.weight"), before.at("ema:blocks.2.attn.qkv.weight"));
  // As a new model of this seed would begin.
  TrainConfig config = tiny_config(*directory_ / "set", out_);
  config.train.seed = 3;
  const auto backend = make_reference_backend();
  const auto model = make_model(config.model.resolve(9), *backend, DType::kFloat32);
  std::size_t index = 0;
  while (model->parameters().all()[index].name != "y_embedder.embedding_table.weight") ++index;
  std::vector<float> drawn(10 * 8);
  model->parameters().initialize(index, 3, drawn);
  const auto& table = after.at("master:y_embedder.embedding_table.weight");
  EXPECT_TRUE(std::equal(drawn.begin(), drawn.end(), table.begin()));
}

TEST_F(ImportedWeights, APartThatTheModelLacksIsRefused) {
  EXPECT_THAT(import(weights(), {"--fresh=decoder"}).error,
              AllOf(HasSubstr("--fresh decoder"), HasSubstr("label-table, final-layer")));
  EXPECT_EQ(import(weights(), {"--fresh=blocks.1"}).status, kDone);
}

TEST_F(ImportedWeights, AreARunThatTrainsOn) {
  const Outcome result = import(weights());
  ASSERT_EQ(result.status, kDone) << result.error;
  EXPECT_THAT(result.out, HasSubstr("edt train --run.dir " + out_));
  const std::string configuration = read_text(out_ + "/config.ini");
  EXPECT_THAT(configuration, AllOf(HasSubstr("preset = EDT-Ti/2"), HasSubstr("classes = 5"),
                                   Not(HasSubstr("file ="))));
  const Outcome trained = edt_command({"train", "--config", out_ + "/config.ini", "--run.dir", out_,
                                       "--data", path("set"), "--train.steps=1", "--train.batch=4",
                                       "--train.micro-batch=4", "--optimizer.lr=1e-12", "--quiet"});
  ASSERT_EQ(trained.status, kDone) << trained.error;
  expect_weights(1e-6);
  EXPECT_THAT(edt_command({"ckpt", "import", path("w"), "--out", path("run")}).error,
              HasSubstr("is not empty, it holds a run"));
}

}  // namespace
}  // namespace edt::test
