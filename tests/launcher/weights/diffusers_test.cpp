// Names of diffusers' DiT, against a model and a prediction of that library (scripts/torch/
// diffusers_check.py --make).
#include "core/json/json_text.h"
#include "core/reference/reference_backend.h"
#include "launcher/recipe/trained_model.h"
#include "tests/launcher/weights/weights_fixture.h"
#include "tests/support/places.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kLibraryModel = in_sources("tests/golden/diffusers").string();
const std::string kLibraryFile = kLibraryModel + "/diffusion_pytorch_model.safetensors";

class DiffusersNames : public ::testing::Test {
 protected:
  Outcome import(const std::string& from, std::vector<std::string> more = {}) {
    std::vector<std::string> args{"ckpt", "import", from, "--out", path("run")};
    for (const char* option : {"--model=DiT-S/2", "--model.image-size=64", "--model.depths=2",
                               "--model.widths=8", "--model.heads=2"}) {
      args.emplace_back(option);
    }
    args.insert(args.end(), more.begin(), more.end());
    return edt_command(args);
  }
  std::string path(const std::string& name) const { return (directory_ / name).string(); }

  const TempDir directory_;
};

std::vector<float> values_of(const std::string& file, const char* name) {
  const SafetensorsReader reader(file);
  const SafetensorsEntry& entry = reader.entry(name);
  std::vector<float> values(entry.elements());
  reader.read(entry, 0, std::span<float>(values));
  return values;
}

// Float32 on both sides, which differ in the order of sums.
TEST_F(DiffusersNames, AnImportPredictsWhatTheLibraryDoes) {
  const Outcome result = import(kLibraryModel);
  ASSERT_EQ(result.status, kDone) << result.error;
  EXPECT_THAT(result.out, HasSubstr("names of diffusers' DiTTransformer2DModel"));
  const auto backend = make_reference_backend();
  const Checkpoint checkpoint = find_checkpoint(path("run"));
  TrainedModel trained(checkpoint, model_config_of(checkpoint, configuration_of(checkpoint)),
                       kMasterArray, *backend, DType::kFloat32);
  const std::string prediction = kLibraryModel + "/prediction.safetensors";
  std::vector<float> x = values_of(prediction, "x"), t = values_of(prediction, "t");
  std::vector<std::int32_t> labels{1, 3};
  const std::vector<float> expected = values_of(prediction, "output");

  Profiler profiler;
  Arena arena(host_memory());
  Tape tape(*backend, arena, profiler, DType::kFloat32);
  const Tape::NoGrad inference(tape);
  const Var tokens = trained.model().forward(tape, {view_of(std::span(x), {2, 4, 8, 8}),
                                                    view_of(std::span(t), {2}),
                                                    {labels.data(), {2}, DType::kInt32}});
  std::vector<float> output(expected.size());
  backend->unpatchify(tokens.tensor(), 2, view_of(std::span(output), {2, 8, 8, 8}));
  float largest = 0;
  for (std::size_t i = 0; i < output.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    ASSERT_NEAR(output[i], expected[i], 1e-4) << i;  // of up to 4
  }
  EXPECT_GT(largest, 0.1) << "a prediction of zeros would say nothing";
}

TEST_F(DiffusersNames, AnExportIsTheLibrarysFileAgain) {
  ASSERT_EQ(import(kLibraryFile).status, kDone);
  const Outcome result = edt_command({"ckpt", "export", "--checkpoint", path("run"), "--names",
                                      "diffusers", "--out", path("dit")});
  ASSERT_EQ(result.status, kDone) << result.error;
  const SafetensorsReader theirs(kLibraryFile);
  const SafetensorsReader ours(path("dit/diffusion_pytorch_model.safetensors"));
  ASSERT_EQ(ours.entries().size(), theirs.entries().size());
  for (const SafetensorsEntry& entry : theirs.entries()) {
    EXPECT_EQ(ours.entry(entry.name).shape, entry.shape) << entry.name;
    std::vector<float> a(entry.elements()), b(entry.elements());
    theirs.read(entry, 0, std::span<float>(a));
    ours.read(ours.entry(entry.name), 0, std::span<float>(b));
    EXPECT_EQ(a, b) << entry.name;
  }
  const auto expected = parse_json(read_text(kLibraryModel + "/config.json"), "output");
  const auto config = parse_json(read_text(path("dit/config.json")), "output");
  for (const auto& [key, value] : config.items()) EXPECT_EQ(value, expected.at(key)) << key;

  // Where the weights cannot be written the configuration of those that are there stays.
  std::filesystem::create_directories(path("old/diffusion_pytorch_model.safetensors/full"));
  write_text_atomically(path("old/config.json"), "of the old weights");
  EXPECT_NE(edt_command({"ckpt", "export", "--checkpoint", path("run"), "--names", "diffusers",
                         "--out", path("old")})
                .status,
            kDone);
  EXPECT_EQ(read_text(path("old/config.json")), "of the old weights");

  ASSERT_EQ(edt_command({"ckpt", "export", "--checkpoint", path("run"), "--names", "diffusers",
                         "--out", path("one.safetensors")})
                .status,
            kDone);
  EXPECT_EQ(
      parse_json(SafetensorsReader(path("one.safetensors")).metadata().at("config"), "output"),
      config);
}

TEST_F(DiffusersNames, APrefixMayStandBeforeThem) {
  auto tensors = read_tensors(kLibraryFile);
  for (FileTensor& tensor : tensors) tensor.name = "transformer.module." + tensor.name;
  write_tensors(path("w.safetensors"), tensors);
  const Outcome result = import(path("w.safetensors"));
  EXPECT_EQ(result.status, kDone) << result.error;
  EXPECT_THAT(result.out, HasSubstr("all names begin with transformer.module."));
}

TEST_F(DiffusersNames, BlocksWithEmbeddingsOfTheirOwnAreRefused) {
  auto tensors = read_tensors(kLibraryFile);
  for (FileTensor& tensor : tensors) {
    if (tensor.name == "transformer_blocks.1.norm1.emb.class_embedder.embedding_table.weight") {
      tensor.values[9] += 0.5f;
    }
  }
  write_tensors(path("w.safetensors"), tensors);
  EXPECT_THAT(import(path("w.safetensors")).error,
              AllOf(HasSubstr("transformer_blocks.1.norm1.emb.class_embedder"),
                    HasSubstr("differ in element 9")));
}

TEST_F(DiffusersNames, AConfigurationOfAnotherModelIsRefused) {
  EXPECT_THAT(import(kLibraryModel, {"--model.heads=4"}).error,
              AllOf(HasSubstr("config.json: num_attention_heads is 2"), HasSubstr("model is 4")));
}

TEST_F(DiffusersNames, AreNotThoseOfOtherModels) {
  EXPECT_THAT(
      edt_command({"ckpt", "import", kLibraryModel, "--out", path("run"), "--model=EDT-Ti/2"})
          .error,
      HasSubstr("has the names of diffusers' DiT, the model is EDT-Ti/2"));
  write_tiny_data(directory_ / "set");
  TrainConfig config = tiny_config(directory_ / "set", directory_ / "edt");
  config.train.steps = 1;
  run(config);
  const Outcome result = edt_command(
      {"ckpt", "export", "--checkpoint", path("edt"), "--names", "diffusers", "--out", path("no")});
  EXPECT_EQ(result.status, kWrongUsage);
  EXPECT_THAT(result.error, AllOf(HasSubstr("DiTTransformer2DModel"), HasSubstr("EDT-Ti/2")));
  EXPECT_FALSE(std::filesystem::exists(path("no")));
}

}  // namespace
}  // namespace edt::test
