// Runs and samples as a shell sees them.
#include <fmt/format.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "core/json/json_text.h"
#include "core/storage/hdf5.h"
#include "tests/support/child_process.h"
#include "tests/support/edt_program.h"
#include "tests/support/wait_until.h"

namespace edt::test {
namespace {

using testing::HasSubstr;

TEST_F(CliRun, AStartThatDoesNothingChangesNothing) {
  const std::string again = "train --config=" + run_ + "/config.ini --log-level info";
  const auto before = files();
  const Outcome fewer = run(again + " --train.steps=1", "2>&1 >/dev/null");
  EXPECT_EQ(fewer.status, 0);
  EXPECT_THAT(fewer.output, HasSubstr("has reached step 3, train.steps is 1: nothing to do"));
  EXPECT_EQ(run(again).status, 0);
  EXPECT_THAT(refusal(again + " --train.seed=7 --train.steps=1 --log-level=warning"),
              HasSubstr("train.seed"));
  auto after = files();
  for (auto* seen : {&after}) {  // the refused start has held the lock
    seen->at(run_ + "/generation") = before.at(run_ + "/generation");
    seen->at(run_ + "/logs/rank-00000.log") = before.at(run_ + "/logs/rank-00000.log");
  }
  EXPECT_EQ(after, before);
  const auto seen = parse_json(run("watch --json " + run_).output, "output")["runs"][0];
  EXPECT_EQ(seen["state"], "finished");
  EXPECT_EQ(seen["total_steps"], 3);
  EXPECT_EQ(run(again + " --train.steps=4").status, 0);
  EXPECT_EQ(parse_json(run("watch --json " + run_).output, "output")["runs"][0]["step"], 4);
}

// OMP_NUM_THREADS=1000 in somebody's shell made a step take minutes, and nothing said why.
TEST_F(CliRun, FarMoreThreadsThanCoresAreNamed) {
  const auto said = [&](unsigned threads) {
    return run(fmt::format("sample --quiet {} --classes 1 --steps 1 --threads {} --out {}/{}.png",
                           run_, threads, path_, threads),
               "2>&1")
        .output;
  };
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  EXPECT_THAT(said(2 * cores + 1),
              HasSubstr(fmt::format("{} OpenMP threads share", 2 * cores + 1)));
  EXPECT_EQ(said(1), "");
}

TEST_F(CliRun, ItsConfigurationIsABeginning) {
  const std::string start = "train --config=" + run_ + "/config.ini --run.dir=" + path_ +
                            "/other --log-level info --steps 1 ";
  const Outcome other =
      run(start + "--parallel.zero=3 --optimizer.schedule=constant", "2>&1 >/dev/null");
  EXPECT_EQ(other.status, 0) << other.output;
  EXPECT_THAT(other.output, HasSubstr("config.ini:"));
  EXPECT_THAT(other.output, HasSubstr("is left out: it is used only when parallel.zero is 0 or 1, "
                                      "and it is 3 (command line)"));
  EXPECT_THAT(refusal(start + "--parallel.zero=3 --parallel.bucket=4"), HasSubstr("command line"));
}

TEST_F(CliRun, InterruptedWorkLeavesNothingHalfWritten) {
  for (const char* out : {"--latents x.h5", "--npz x.npz", "--npz x.npz --out x.png"}) {
    const std::string target = path_ + "/out";
    std::filesystem::create_directories(target);
    ChildProcess sampling("cd " + target + " && exec " + edt_program() +
                          " sample --quiet --checkpoint " + run_ +
                          " --images 4096 --batch 16 --steps 4 " + out + " >/dev/null 2>&1");
    ASSERT_TRUE(wait_until([&] { return sampling.ended() || !std::filesystem::is_empty(target); }));
    sampling.send(SIGINT);
    EXPECT_EQ(sampling.wait(), -SIGINT) << out;
    EXPECT_TRUE(std::filesystem::is_empty(target)) << out;
  }
}

// From nothing to a picture, and what is refused on the way.
TEST_F(Cli, DataTrainingAndSampling) {
  const std::string data = path_ + "/data", run_dir = path_ + "/run", model = kTinyModel;
  const std::string common = " --data " + data + " --run.dir " + run_dir +
                             " --train.batch 4 --train.micro-batch 2 --optimizer.decay-steps 10";
  write_tiny_set(data);
  EXPECT_EQ(run("data verify " + data).status, 0);

  EXPECT_THAT(refusal("train --steps 2" + model + " --data " + data + "x --run.dir " + run_dir),
              HasSubstr(data + "x"));
  EXPECT_THAT(refusal("train --train.step 2" + model + common),
              HasSubstr("did you mean '--train.steps'?"));
  EXPECT_THAT(refusal("train --steps 2 --model.depths 1,1,1,1" + common),
              HasSubstr("odd number is needed"));
  EXPECT_THAT(refusal("train --steps 2 --model EDT-Ti/2 --model.image-size 128" + common),
              HasSubstr("16"));
  EXPECT_THAT(refusal("train --steps 2 --train.batch 6 --train.micro-batch 4 --data " + data +
                      " --run.dir " + run_dir),
              HasSubstr("train.batch 6 is not a multiple of train.micro-batch 4"));
  EXPECT_THAT(refusal("train --steps 2" + model + " --data " + data + " --run.dir /proc/none"),
              HasSubstr("/proc/none"));

  ASSERT_EQ(run("train --steps 2" + model + common).status, 0);
  const std::string picture = (directory_ / "x.png").string();
  EXPECT_THAT(refusal("sample --checkpoint " + data + " --classes 1 --out " + picture),
              HasSubstr("checkpoint"));
  EXPECT_THAT(refusal("sample --checkpoint " + run_dir + " --classes 12 --out " + picture),
              HasSubstr("names 12, the model has classes 0 to 11"));
  ASSERT_EQ(
      run("sample --checkpoint " + run_dir + " --classes 1 --steps 2 --out " + picture).status, 0);
  EXPECT_TRUE(std::filesystem::exists(picture));
}

// Said wherever such samples are, and refused where it is no gain.
TEST_F(CliRun, SamplesOfIntegerWeights) {
  const std::string sample = "sample --classes 1 --steps 2 --checkpoint " + run_ +
                             " --weights-type int8 --int8-anywhere on --latents " + path_ + "/";
  ASSERT_EQ(run(sample + "int8.h5").status, 0);
  const auto type = [&](const std::string& file) {
    return h5::File::open(path_ + file).read_string("weights_type");
  };
  EXPECT_EQ(type("/int8.h5"), "int8");
  EXPECT_THAT(refusal(sample + "reference.h5 --device reference"),
              HasSubstr("--weights-type is int8, and --device reference multiplies no 8-bit "
                        "integers"));
  EXPECT_THAT(refusal("bench samplers --int8 on --device reference --checkpoint " + run_),
              HasSubstr("--int8 is on, and --device reference multiplies no 8-bit integers"));
  EXPECT_THAT(
      refusal("sample --classes 1 --int8-anywhere on --checkpoint " + run_ + " --out x.png"),
      HasSubstr("int8-anywhere"));
  setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 1);
  EXPECT_THAT(refusal("sample --classes 1 --weights-type int8 --checkpoint " + run_ + " --out " +
                      path_ + "/x.png"),
              HasSubstr("no instructions for products of 8-bit integers (VNNI)"));
  EXPECT_EQ(run(sample + "anywhere.h5").status, 0);
  unsetenv("ONEDNN_MAX_CPU_ISA");
}

TEST_F(CliRun, OptionsThatDoNotGoTogetherAreRefused) {
  const std::string sample = "sample --classes 1 --steps 2 --checkpoint " + run_ + " ";
  EXPECT_THAT(refusal(sample + "--out " + path_ + "/x --npz " + path_ + "/./x"),
              HasSubstr("--out and --npz both name"));
  EXPECT_THAT(refusal(sample + "--out " + path_ + "/x.png --quiet --cfg-scale 1e308"),
              HasSubstr("cfg-scale = '1e308' (command line): expected a finite number"));
  {
    h5::File file = h5::File::create(path_ + "/huge.h5");
    const std::vector<float> noise(4 * 8 * 8, 3e38F);
    file.create_dataset("z", h5::Type::kFloat32, {1, 4, 8, 8})
        .write(h5::Type::kFloat32, noise.data());
    file.close();
  }
  EXPECT_THAT(
      refusal(sample + "--out " + path_ + "/x.png --quiet --init-noise " + path_ + "/huge.h5", 1),
      HasSubstr("latents of picture 0 (class 1) are not finite"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/x.png"));
  EXPECT_THAT(refusal("bench step --model EDT-Ti/2 --parallel.tensor=2"),
              HasSubstr("cannot be cut over 2 tensor ranks"));
  EXPECT_THAT(refusal("bench speedup --from-shards " + data_ + " --sizes S"),
              HasSubstr("the model takes 4 x 32 x 32"));
  const std::string config = run_ + "/config.ini";
  EXPECT_THAT(refusal("plan --calibrate " + config), HasSubstr("unknown key"));
  EXPECT_THAT(refusal(train_ + "--steps 1 --run.dir " + config),
              testing::AllOf(HasSubstr("[run] "), HasSubstr("config.ini")));
}

}  // namespace
}  // namespace edt::test
