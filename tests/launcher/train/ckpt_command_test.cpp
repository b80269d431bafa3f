// edt ckpt on the checkpoints of a real run.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/json/json_text.h"
#include "core/storage/safetensors.h"
#include "tests/launcher/train/edt_command.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_run.h"

namespace edt::test {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

class CkptCommand : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory_ = new TempDir;
    write_tiny_data(directory_->path() / "set");
    TrainConfig config = tiny_config(directory_->path() / "set", run_path());
    config.train.steps = 2;
    config.run.checkpoint_every = 1;
    run(config);
  }
  static void TearDownTestSuite() { delete directory_; }
  static std::filesystem::path run_path() { return directory_->path() / "run"; }

  // The options that describe the tiny model.
  static std::vector<std::string> with_model(std::vector<std::string> args) {
    const Json info = parse_json(edt_command({"ckpt", "info", run_path(), "--json"}).out, "output");
    const auto file = info.at(0).at("path").get<std::filesystem::path>() / "manifest.json";
    const std::string configuration = parse_json(read_text(file), "manifest").at("configuration");
    std::istringstream lines(configuration.substr(configuration.find("[model]") + 8));
    for (std::string line; std::getline(lines, line) && !line.starts_with('[');) {
      const auto equals = line.find(" = ");
      if (equals == std::string::npos || line.starts_with('#')) continue;
      if (equals + 3 == line.size()) continue;  // a list that is empty
      args.push_back("--model." + line.substr(0, equals) + "=" + line.substr(equals + 3));
    }
    return args;
  }

  static TempDir* directory_;
};

TempDir* CkptCommand::directory_ = nullptr;

TEST_F(CkptCommand, InfoListsTheNewestFirst) {
  const Json info = parse_json(edt_command({"ckpt", "info", run_path(), "--json"}).out, "output");
  ASSERT_EQ(info.size(), 2u);
  EXPECT_EQ(info[0].at("step"), 2);
  EXPECT_EQ(info[1].at("step"), 1);
  EXPECT_EQ(info[0].at("problem"), "");
  EXPECT_THAT(edt_command({"ckpt", "info", run_path(), "--fragments"}).out,
              HasSubstr("y_embedder.embedding_table.weight"));
}

TEST_F(CkptCommand, VerifyFailsOnDamage) {
  const auto copy = directory_->path() / "copy";
  std::filesystem::copy(run_path(), copy, std::filesystem::copy_options::recursive);
  EXPECT_EQ(edt_command({"ckpt", "verify", copy}).status, kDone);
  std::fstream file(copy / "checkpoints/step-000002/rank-0000.h5",
                    std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(5000);
  file.put('\x5a').put('\xa5');
  file.close();
  const Outcome outcome = edt_command({"ckpt", "verify", copy});
  EXPECT_EQ(outcome.status, kFailed);
  EXPECT_THAT(outcome.out, HasSubstr("rank-0000.h5 is damaged"));
}

TEST_F(CkptCommand, ExportAndImportKeepEveryBit) {
  const auto first = (directory_->path() / "first.safetensors").string();
  const auto second = (directory_->path() / "second.safetensors").string();
  const auto imported = (directory_->path() / "imported").string();
  const auto exported = edt_command({"ckpt", "export", "--checkpoint", run_path(), "--out", first});
  ASSERT_EQ(exported.status, kDone) << exported.error;
  const auto in = edt_command(with_model({"ckpt", "import", first, "--out", imported}));
  ASSERT_EQ(in.status, kDone) << in.error;
  EXPECT_THAT(in.out, HasSubstr("pos_embed"));
  const auto again = edt_command(
      {"ckpt", "export", "--checkpoint", imported, "--weights", "raw", "--out", second});
  ASSERT_EQ(again.status, kDone) << again.error;
  // The published files hold nothing that a checkpoint does not: the same weights again.
  const SafetensorsReader before(first), after(second);
  ASSERT_EQ(before.entries().size(), after.entries().size());
  for (const SafetensorsEntry& entry : before.entries()) {
    std::vector<float> a(entry.elements()), b(entry.elements());
    before.read(entry, 0, std::span<float>(a));
    after.read(after.entry(entry.name), 0, std::span<float>(b));
    EXPECT_EQ(a, b) << entry.name;
  }
  const auto weights = contents(run_path()), back = contents(imported);
  for (const auto& [name, values] : weights) {
    if (!name.starts_with("ema:")) continue;
    const std::string tensor = name.substr(4);
    EXPECT_EQ(back.at("master:" + tensor), values) << tensor;
    EXPECT_EQ(back.at("ema:" + tensor), values) << tensor;
  }
}

// Fine-tuning: imported weights in a run directory are where training begins.
TEST_F(CkptCommand, TrainingStartsFromImportedWeights) {
  const auto file = (directory_->path() / "weights.safetensors").string();
  const auto run_directory = directory_->path() / "tuned";
  ASSERT_EQ(edt_command({"ckpt", "export", "--checkpoint", run_path(), "--out", file}).status,
            kDone);
  ASSERT_EQ(
      edt_command(with_model({"ckpt", "import", file, "--out", run_directory.string()})).status,
      kDone);
  TrainConfig config = tiny_config(directory_->path() / "set", run_directory);
  config.train.steps = 1;
  config.optimizer.rate.initial = 1e-12;  // the weights stay where the import put them
  ASSERT_EQ(run(config), kDone);
  const auto before = contents(run_path()), after = contents(run_directory);
  for (const auto& [name, values] : before) {
    if (!name.starts_with("ema:")) continue;
    const auto& tuned = after.at("master:" + name.substr(4));
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(tuned[i], values[i], 1e-9) << name;
  }
}

TEST_F(CkptCommand, ImportOfAnotherModelIsRefused) {
  const auto file = (directory_->path() / "other.safetensors").string();
  ASSERT_EQ(edt_command({"ckpt", "export", "--checkpoint", run_path(), "--out", file}).status,
            kDone);
  const auto out = directory_->path() / "refused";
  const auto refused = edt_command({"ckpt", "import", file, "--out", out});
  EXPECT_EQ(refused.status, kWrongUsage);
  EXPECT_THAT(refused.error, HasSubstr("the model has"));
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST_F(CkptCommand, SaysWhatIsMissing) {
  const auto outcome = edt_command({"ckpt", "verify", directory_->path() / "nothing"});
  EXPECT_EQ(outcome.status, kWrongUsage);
  EXPECT_THAT(outcome.error, HasSubstr("nothing: there is no such directory"));
}

}  // namespace
}  // namespace edt::test
