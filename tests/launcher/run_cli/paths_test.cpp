// A run directory alone is enough, from wherever it is named; another run's is only a beginning.
#include "tests/data/import/npy_files.h"
#include "tests/launcher/run_cli/shell_run.h"

namespace edt::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Paths : public ShellRun {
 protected:
  // Started with relative names, in the test's directory.
  void SetUp() override {
    const auto outcome =
        all_of(std::string("train --quiet --data data --run.dir run --steps 2 --run.prometheus "
                           "run.prom --optimizer.lr 0.002 --train.batch 4 --train.micro-batch 2 ") +
               kTinyModel);
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    std::filesystem::create_directory(path_ + "/elsewhere");
  }
  CommandOutcome elsewhere(const std::string& arguments) const {
    return shell("cd " + path_ + "/elsewhere && " + edt_program() + " " + arguments + " 2>&1");
  }
};

TEST_F(Paths, AreStoredInFull) {
  const std::string config = read_text(run_ + "/config.ini");
  EXPECT_THAT(config, AllOf(HasSubstr("path = " + data_ + "\n"), HasSubstr("dir = " + run_ + "\n"),
                            HasSubstr("prometheus = " + path_ + "/run.prom\n")));
}

TEST_F(Paths, ARunGoesOnFromItsDirectoryAlone) {
  const auto outcome = elsewhere("train --run.dir ../run --steps 3");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output,
              HasSubstr("options that are not given are those of " + run_ + "/config.ini"));
  EXPECT_EQ(last_step()["step"], 3);
  EXPECT_EQ(last_step()["changed"], "train.steps 2 -> 3");
  const auto sample = elsewhere("sample --checkpoint ../run --classes 1 --steps 2 --out x.png");
  EXPECT_EQ(sample.status, 0);
  EXPECT_THAT(sample.output, Not(HasSubstr("false colours")));
  EXPECT_TRUE(std::filesystem::exists(path_ + "/elsewhere/x.png"));
}

TEST_F(Paths, WithoutItsConfigurationACheckpointHasIt) {
  for (const char* damage : {"rm", ": >", "printf '\\0\\0' >"}) {
    ASSERT_EQ(shell(std::string(damage) + " " + run_ + "/config.ini").status, 0);
    const auto outcome = elsewhere("train --run.dir ../run --steps 2");
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("step-000002/manifest.json"));
    const auto more = elsewhere("train --quiet --run.dir ../run --steps 2 --train.seed 3");
    EXPECT_EQ(more.status, 2) << more.output;
  }
  std::filesystem::remove_all(run_ + "/checkpoints");
  EXPECT_THAT(refused("train --run.dir run"),
              AllOf(HasSubstr("config.ini:1"), HasSubstr("no checkpoint has a configuration")));
}

// What an attempt that came to nothing was told is no part of the next one.
TEST_F(Paths, ABeginningTakesNothingFromAnEarlierAttempt) {
  std::filesystem::remove_all(run_ + "/checkpoints");
  for (const char* file : {"outcome.json", "metrics.jsonl"})
    std::filesystem::remove(run_ + "/" + file);
  EXPECT_EQ(all_of(start("--quiet --steps 1")).status, 0);
  EXPECT_THAT(read_text(run_ + "/config.ini"), HasSubstr("\nlr = 0.001\n"));
  EXPECT_EQ(all_of(start("--quiet --steps 2")).status, 0) << "from here on it goes on";
}

TEST_F(Paths, AMovedDataSetIsNamedWithTheOptionThatSaysWhere) {
  ASSERT_EQ(shell("mv " + data_ + " " + path_ + "/moved").status, 0);
  EXPECT_THAT(refused("train --run.dir run --steps 3"),
              AllOf(HasSubstr(data_), HasSubstr("config.ini:"), HasSubstr("--data PATH")));
  EXPECT_EQ(all_of("train --quiet --run.dir run --steps 3 --data moved").status, 0);
  EXPECT_THAT(read_text(run_ + "/config.ini"), HasSubstr("path = " + path_ + "/moved\n"));
}

TEST_F(Paths, ARunThatBeginsWithAnothersConfigurationWritesFilesOfItsOwn) {
  const std::string before = read_text(path_ + "/run.prom");
  const auto outcome = all_of("train --config run/config.ini --run.dir second --steps 1");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("run.prometheus = '" + path_ + "/run.prom'"),
                                    HasSubstr("is left out: it belongs to run.dir " + run_)));
  EXPECT_EQ(read_text(path_ + "/run.prom"), before);
  EXPECT_THAT(read_text(path_ + "/second/config.ini"), HasSubstr("prometheus = \n"));
  // Its own stays with it.
  EXPECT_EQ(all_of("train --quiet --run.dir run --steps 3").status, 0);
  EXPECT_NE(read_text(path_ + "/run.prom"), before);
}

TEST_F(Paths, AMovedRunIsNotTakenForTheOneItsConfigurationNames) {
  ASSERT_EQ(shell("mv " + run_ + " " + path_ + "/moved").status, 0);
  EXPECT_THAT(refused("train --config moved/config.ini --steps 3"),
              AllOf(HasSubstr("lies in " + path_ + "/moved"), HasSubstr("run.dir = " + run_)));
  EXPECT_FALSE(std::filesystem::exists(run_));
  EXPECT_EQ(all_of("train --quiet --run.dir moved --steps 3").status, 0);
}

// Checkpoints were lost with the first one: a manifest is JSON, which is UTF-8.
TEST_F(ShellRun, NamesNeedNotBeUtf8) {
  const std::string odd = path_ + "/caf\xe9";
  std::filesystem::rename(data_, odd + "-data");
  const std::string first = "train --quiet " + tiny_training(odd + "-data", odd + "-run");
  ASSERT_EQ(all_of(first + " --steps 2").status, 0);
  std::filesystem::remove(odd + "-run/config.ini");  // then the checkpoint's counts
  const auto outcome = all_of("train --quiet --run.dir " + odd + "-run --steps 3");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(
      all_of("sample --quiet " + odd + "-run --classes 1 --steps 2 --latents x.safetensors").status,
      0);
  EXPECT_EQ(all_of("data info --json " + odd + "-data").status, 0);
  EXPECT_EQ(all_of("doctor --json " + odd + "-run").status, 0);
  EXPECT_EQ(all_of("ckpt info --json " + odd + "-run").status, 0);
}

// Shells leave it in "--run.dir=~/run" as it is.
TEST_F(ShellRun, TheHomeDirectoryIsMeantInEveryPlace) {
  const auto outcome = shell("cd " + path_ + " && HOME=" + path_ + " " + edt_program() + " " +
                             start("--quiet --steps 1 --run.dir='~/there'") + " 2>&1");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_TRUE(std::filesystem::exists(path_ + "/there/config.ini"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/~"));
}

TEST_F(ShellRun, AConfigurationComesThroughAPipe) {
  const auto outcome =
      shell("cd " + path_ + " && bash -c '" + edt_program() + " " +
            start("--quiet --config <(printf \"[train]\\nsteps = 2\\n\")") + "' 2>&1");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(last_step()["step"], 2);
}

// Models count 8 pixels for each latent; what decodes samples has to know how many there are.
TEST_F(ShellRun, PixelsOfOtherVaesAreSaid) {
  std::vector<float> values(8 * 4 * 8 * 8);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * 7 % 11) / 8;
  data::test::write_npy(path_ + "/x.npy", "<f4", {8, 4, 8, 8}, values);
  data::test::write_npy(path_ + "/y.npy", "<i8", {8}, std::vector<std::int64_t>(8, 1));
  const auto set = all_of(
      "data import --quiet --latents x.npy --labels y.npy --classes 12 --vae-factor 16 --out "
      "other");
  ASSERT_EQ(set.status, 0) << set.output;
  const auto outcome = all_of("train " + tiny_training("other", run_) + " --steps 1");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.output, HasSubstr("latents of 8 x 8 are of pictures of 128 pixels"));
  EXPECT_THAT(outcome.output, HasSubstr("so 64 stands for them"));
  ASSERT_EQ(all_of("sample --quiet run --classes 1 --steps 2 --latents z.safetensors").status, 0);
  const std::string file = read_text(path_ + "/z.safetensors");
  EXPECT_THAT(file, HasSubstr("\"image_size\":\"128\""));
  EXPECT_THAT(file, HasSubstr("\"pixels_per_latent\":\"16\""));
}

}  // namespace
}  // namespace edt::test
