// Weights of LightningDiT under its published names, which the golden values have: imported, as
// they are sampled, and exported again.
#include "tests/golden/golden_file.h"
#include "tests/launcher/weights/weights_fixture.h"
#include "tests/support/temp_dir.h"

namespace edt::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class LightningWeights : public ::testing::Test {
 protected:
  // What a published file has: parameters, and tables that were computed.
  static std::vector<FileTensor> published() {
    const GoldenFile file("lightningdit_tiny.h5");
    std::vector<FileTensor> tensors;
    const auto add = [&](const std::string& name, const std::string& data_set) {
      const auto shape = file.shape(data_set);
      tensors.push_back({.name = name,
                         .shape = {shape.begin(), shape.end()},
                         .values = file.read<float>(data_set)});
    };
    for (const std::string& name : file.names("/params")) add(name, "/params/" + name);
    add("feat_rope.freqs_cos", "/tables/feat_rope_cos");
    add("feat_rope.freqs_sin", "/tables/feat_rope_sin");
    return tensors;
  }

  Outcome import(const std::vector<FileTensor>& tensors, std::vector<std::string> more = {}) {
    write_tensors(path("file.safetensors"), tensors);
    std::vector<std::string> args{"ckpt", "import", path("file.safetensors"), "--out", path("run")};
    for (const char* option :
         {"--model=LightningDiT-S/1", "--model.image-size=128", "--model.channels=6",
          "--model.widths=40", "--model.heads=2", "--model.depths=3"}) {
      args.emplace_back(option);
    }
    args.insert(args.end(), more.begin(), more.end());
    return edt_command(args);
  }
  std::string path(const std::string& name) const { return (directory_ / name).string(); }

  const TempDir directory_;
};

TEST_F(LightningWeights, AreImportedAndExportedUnderTheirNames) {
  const auto tensors = published();
  const Outcome in = import(tensors);
  ASSERT_EQ(in.status, kDone) << in.error;
  const Outcome out = edt_command({"ckpt", "export", "--checkpoint", path("run"), "--weights",
                                   "raw", "--out", path("again.safetensors")});
  ASSERT_EQ(out.status, kDone) << out.error;
  const auto again = read_tensors(path("again.safetensors"));
  EXPECT_EQ(again.size(), tensors.size());
  for (const FileTensor& tensor : tensors) {
    const auto found = std::ranges::find(again, tensor.name, &FileTensor::name);
    ASSERT_NE(found, again.end()) << tensor.name;
    EXPECT_EQ(found->shape, tensor.shape) << tensor.name;
    if (tensor.name == "pos_embed" || tensor.name.starts_with("feat_rope")) continue;
    EXPECT_EQ(found->values, tensor.values) << tensor.name;
  }
}

TEST_F(LightningWeights, AnglesOfAnotherModelAreRefused) {
  auto tensors = published();
  tensors.back().values[30] += 0.01f;
  const Outcome result = import(tensors);
  EXPECT_EQ(result.status, kWrongUsage);
  EXPECT_THAT(result.error, HasSubstr("feat_rope.freqs_sin element 30"));
  EXPECT_FALSE(std::filesystem::exists(path("run")));
}

TEST_F(LightningWeights, AnotherStyleIsRefusedByTheTensorsThatItLacks) {
  const Outcome result = import(published(), {"--model.qk-norm=rms"});
  EXPECT_EQ(result.status, kWrongUsage);
  EXPECT_THAT(result.error, HasSubstr("attn.q_norm.weight"));
  EXPECT_FALSE(std::filesystem::exists(path("run")));
}

TEST_F(LightningWeights, HaveNoNamesInDiffusers) {
  ASSERT_EQ(import(published()).status, kDone);
  const Outcome result = edt_command(
      {"ckpt", "export", "--checkpoint", path("run"), "--names", "diffusers", "--out", path("no")});
  EXPECT_EQ(result.status, kWrongUsage);
  EXPECT_THAT(result.error, AllOf(HasSubstr("DiTTransformer2DModel"), HasSubstr("LightningDiT")));
  EXPECT_FALSE(std::filesystem::exists(path("no")));
}

}  // namespace
}  // namespace edt::test
