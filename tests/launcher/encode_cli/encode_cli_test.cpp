// `edt data encode` as people call it: with an autoencoder, on several ranks, stopped and killed.
#include <fmt/format.h>
#include <gmock/gmock-matchers.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <regex>
#include <thread>

#include "core/image/png.h"
#include "core/json/json_text.h"
#include "data/dataset.h"
#include "tests/support/child_process.h"
#include "tests/support/drawn_autoencoder.h"
#include "tests/support/edt_program.h"
#include "tests/support/mpirun.h"
#include "tests/support/picture_files.h"
#include "tests/support/places.h"
#include "tests/support/text_files.h"
#include "tests/support/wait_until.h"

namespace edt::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Files = std::map<std::string, std::string>;

// Of real structure, with random weights: 8, 16, 16 and 16 channels.
const std::string kVae = test::in_sources("tests/golden/vae/vae_tiny.safetensors").string();

class EncodeCli : public Cli {
 protected:
  static constexpr int kPictures = 22;

  EncodeCli() {
    // Beside it lies what a safetensors file cannot say: the number of groups of the norms.
    fs::create_directory(path_ + "/vae");
    fs::copy_file(kVae, path_ + "/vae/diffusion_pytorch_model.safetensors");
    fs::copy_file(test::in_sources("tests/golden/vae/vae_tiny_config.json"),
                  path_ + "/vae/config.json");
    for (int i = 0; i < kPictures; ++i) {
      const Image image = drawn_picture(50 + i % 5 * 20, 60, static_cast<unsigned>(i));
      put(fmt::format("p/c{}/{:02}.{}", i % 2, i, i % 3 == 0 ? "png" : "jpg"),
          i % 3 == 0 ? png_file(image) : jpeg_file(image));
    }
  }
  void put(const std::string& name, const std::string& content) const {
    fs::create_directories(fs::path(path_ + "/" + name).parent_path());
    std::ofstream(path_ + "/" + name, std::ios::binary) << content;
  }
  std::string command(const std::string& out, const std::string& more = "") const {
    return fmt::format(
        "data encode {0}/p --vae {0}/vae --image-size 32 --samples-per-shard 3 "
        "--batch 2 --out {0}/{1} --threads 1 {2}",
        path_, out, more);
  }
  // A set of pictures of 64 pixels, and a run of `steps` steps on it that draws a grid after each.
  void encode_large(const std::string& out) const {
    const Outcome outcome =
        run(fmt::format("data encode {0}/p --vae {0}/vae --image-size 64 --out {0}/{1} --quiet",
                        path_, out),
            "");
    ASSERT_EQ(outcome.status, 0) << outcome.errors;
  }
  std::string training(const std::string& to, int steps, const std::string& more = "") const {
    return fmt::format(
        "train {} --steps {} --run.sample-every 1 --run.sample-images 4 "
        "--run.sample-steps 2 {}",
        tiny_training(path_ + "/set", path_ + "/" + to), steps, more);
  }
  std::string vae_option() const { return fmt::format("--run.sample-vae {}/vae ", path_); }
  std::string grid(const std::string& of, int step) const {
    return fmt::format("{}/{}/samples/step-{:08}.png", path_, of, step);
  }
  Files files(const std::string& out) const {
    Files found;
    for (const auto& entry : fs::directory_iterator(path_ + "/" + out)) {
      const std::string name = entry.path().filename().string();
      if (name[0] == '.') continue;
      std::ifstream stream(entry.path(), std::ios::binary);
      found[name] = {std::istreambuf_iterator<char>(stream), {}};
    }
    return found;
  }
};

TEST_F(EncodeCli, PathsThatNoShellHasExpandedAreNamed) {
  const auto of = [&](const std::string& pictures) {
    return refusal(fmt::format("data encode '{0}/{1}' --vae {0}/vae --image-size 32 --out {0}/set",
                               path_, pictures));
  };
  EXPECT_THAT(of("train-{000000..000009}.tar"), HasSubstr("braces are expanded by the shell"));
  EXPECT_THAT(of("*.tar"), HasSubstr("wildcards are expanded by the shell"));
  EXPECT_FALSE(fs::exists(path_ + "/set"));
}

// The folder that the first call makes would be a class to the next.
TEST_F(EncodeCli, ASetAmongTheClassesIsRefused) {
  EXPECT_THAT(refusal(command("p/latents")), HasSubstr("/p/latents lies in --pictures"));
  EXPECT_FALSE(fs::exists(path_ + "/p/latents"));
}

TEST_F(EncodeCli, MakesASetThatIsWhole) {
  const Outcome outcome = run(command("set"), "2>&1");
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("22 samples of 4 x 4 x 4, 2 classes, 8 shards"),
                                    HasSubstr("22 pictures of"), HasSubstr("pictures encoded in")));
  EXPECT_EQ(run("data verify " + path_ + "/set").status, 0);
  const data::Dataset set(path_ + "/set");
  EXPECT_TRUE(set.description().moments);
  EXPECT_TRUE(set.description().flipped);
  EXPECT_EQ(set.description().scale, 0.18215);
  EXPECT_EQ(set.description().class_names, (std::vector<std::string>{"c0", "c1"}));
  EXPECT_THAT(set.description().autoencoder, HasSubstr("AutoencoderKL"));
  EXPECT_EQ(set.description().autoencoder_checksum.size(), 16u);
  const Outcome again = run(command("set"), "2>&1");
  EXPECT_THAT(again.output, HasSubstr("all were there already and are kept"));
}

// The set is what the command is for; a batch script would start it again and again.
TEST_F(EncodeCli, OutputThatCannotBeWrittenIsNoFailure) {
  EXPECT_EQ(run(command("full"), ">/dev/full").status, 0);
  EXPECT_EQ(run(command("closed"), "<&- >&- 2>&-").status, 0);
  EXPECT_EQ(run("data verify " + path_ + "/closed").status, 0);
}

TEST_F(EncodeCli, AFullDiskBreaksOff) {
  const Outcome outcome =
      shell("(ulimit -f 0; exec " + edt_program() + " " + command("set") + " --quiet) 2>&1");
  EXPECT_EQ(outcome.status, 5);
  EXPECT_THAT(outcome.output, AllOf(HasSubstr(path_ + "/set"), HasSubstr("File too large")));
  EXPECT_EQ(run(command("set")).status, 0);
}

TEST_F(EncodeCli, WrongInputIsRefusedInOneLine) {
  EXPECT_THAT(
      refusal(fmt::format("data encode {0}/p --vae {0}/vae --image-size 36 --out {0}/set", path_)),
      AllOf(HasSubstr("--image-size is 36"), HasSubstr("multiples of 8")));
  put("p/c0/half.jpg", jpeg_file(drawn_picture(90, 90)).substr(0, 700));
  const Outcome outcome = run(command("set"), "2>&1 >/dev/null");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("half.jpg: cut off"), HasSubstr("1 of 23 pictures"),
                                    HasSubstr("--broken skip")));
  EXPECT_FALSE(fs::exists(path_ + "/set"));
  EXPECT_THAT(run(command("set", "--broken skip"), "2>&1").output,
              AllOf(HasSubstr("22 samples"), HasSubstr("1 broken picture left out")));
  EXPECT_THAT(files("set").at("left-out.tsv"), HasSubstr("half.jpg\tcut off"));
  EXPECT_THAT(refusal(command("other", "--pictures " + path_ + "/none")), HasSubstr("none"));
  EXPECT_FALSE(fs::exists(path_ + "/other"));
}

TEST_F(EncodeCli, MpiRanksWriteTheSameBytes) {
  ASSERT_EQ(run(command("one")).status, 0);
  const Files expected = files("one");
  for (int ranks : {2, 3}) {
    const std::string out = fmt::format("ranks{}", ranks);
    const Outcome outcome =
        mpirun(fmt::format("-np {} {} {}", ranks, edt_program(), command(out)), "2>&1");
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    EXPECT_TRUE(files(out) == expected) << ranks;
  }
}

TEST_F(EncodeCli, MpiRanksStopTogetherAndGoOn) {
  ASSERT_EQ(run(command("whole")).status, 0);
  // Each in its third batch, where it waits for the signal, which mpirun hands on.
  const std::string held = path_ + "/held";
  ChildProcess job("export EDT_FAULT='all compute:wide_attention.forward 3 told " + held +
                   "'; exec " +
                   mpirun_command(fmt::format("-np 2 {} {} </dev/null >/dev/null 2>&1",
                                              faulty_program(), command("set"))));
  ASSERT_TRUE(wait_until(
      [&] { return job.ended() || (fs::exists(held + ".0") && fs::exists(held + ".1")); }));
  job.send(SIGUSR1);
  EXPECT_EQ(job.wait(), 3);
  EXPECT_LT(files("set").size(), files("whole").size());
  const Outcome rest = run(command("set"), "2>&1");
  EXPECT_EQ(rest.status, 0) << rest.output;
  EXPECT_TRUE(files("set") == files("whole"));
}

// SIGKILL whenever it comes, and another number of ranks each time.
TEST_F(EncodeCli, MpiRanksKilledAtRandomMomentsEndInTheSameBytes) {
  ASSERT_EQ(run(command("whole")).status, 0);
  const Files expected = files("whole");
  std::mt19937 dice(5);
  for (int turn = 0; turn < 6; ++turn) {
    const int ranks = 1 + turn % 3;
    ChildProcess job("exec " + mpirun_command(fmt::format("-np {} {} {} </dev/null >/dev/null 2>&1",
                                                          ranks, edt_program(), command("set"))));
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(dice() % 1500);
    while (!job.ended() && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }  // killed by its guard
  const Outcome outcome = mpirun(fmt::format("-np 2 {} {}", edt_program(), command("set")), "2>&1");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_TRUE(files("set") == expected);
}

TEST_F(EncodeCli, MpiRanksDrawGridsThatTheAutoencoderDecodes) {
  encode_large("set");
  const Outcome trained = run(training("run", 2, vae_option()), "");
  ASSERT_EQ(trained.status, 0) << trained.errors;
  EXPECT_THAT(trained.errors, Not(HasSubstr("false colours")));
  const Image image = read_png(grid("run", 2));
  EXPECT_EQ(image.width, 2 * 64 + 2) << "two classes";
  EXPECT_EQ(image.height, 2 * 64 + 2);
  EXPECT_TRUE(image.comment.empty());
  const std::string metrics = read_text(path_ + "/run/metrics.jsonl");
  EXPECT_GT(parse_json(metrics.substr(metrics.find('\n') + 1), "metrics")["time_share"]["samples"],
            0.0);
  // Each rank decodes what it has sampled.
  const Outcome ranks =
      mpirun(fmt::format("-np 2 {} {}", edt_program(), training("ranks", 2, vae_option())), "2>&1");
  ASSERT_EQ(ranks.status, 0) << ranks.output;
  EXPECT_EQ(read_png(grid("ranks", 2)).pixels, image.pixels);
  // The run remembers it.
  const std::string sampled =
      fmt::format("sample {0}/run --classes 0,1 --steps 2 --out {0}/", path_);
  EXPECT_THAT(run(sampled + "a.png", "2>&1").output,
              AllOf(HasSubstr("which decoded the run's sample grids"), Not(HasSubstr("false"))));
  EXPECT_EQ(run(sampled + "b.png --vae " + path_ + "/vae").status, 0);
  EXPECT_EQ(read_png(path_ + "/a.png").pixels, read_png(path_ + "/b.png").pixels);
  // A picture that is kept is encoded as `edt vae encode` does it.
  write_png(path_ + "/kept.png", drawn_picture(64, 64, 3));
  ASSERT_EQ(
      run(fmt::format("vae encode {0}/kept.png --vae {0}/vae --out {0}/kept.h5", path_)).status, 0);
  const auto around = [&](const std::string& keep, const std::string& out) {
    EXPECT_EQ(
        run(fmt::format("sample {0}/run --classes 0 --steps 2 --latents {0}/{2} --vae {0}/vae "
                        "--keep {0}/{1} --keep-box 0,0,64,64",
                        path_, keep, out))
            .status,
        0);
    return h5::File::open(path_ + "/" + out).dataset("latents").read_all<float>(h5::Type::kFloat32);
  };
  const auto of_picture = around("kept.png", "p.h5"), of_latents = around("kept.h5", "l.h5");
  ASSERT_EQ(of_picture.size(), of_latents.size());
  for (std::size_t i = 0; i < of_picture.size(); ++i) {
    ASSERT_NEAR(of_picture[i], of_latents[i], 1e-5) << i;
  }
  write_png(path_ + "/kept.png", drawn_picture(60, 64, 3));
  EXPECT_THAT(refusal(fmt::format("sample {0}/run --classes 0 --out {0}/x.png --vae {0}/vae --keep "
                                  "{0}/kept.png --keep-box 0,0,8,8",
                                  path_)),
              HasSubstr("the picture is 60 x 64 pixels, the model's are 64 x 64"));
}

TEST_F(EncodeCli, AWrongAutoencoderOfGridsIsRefusedWithBothChecksums) {
  encode_large("set");
  const std::string right = data::Dataset(path_ + "/set").description().autoencoder_checksum;
  write_autoencoder(path_ + "/other.safetensors", kl_tensors({.widths = {8, 16, 16, 16}}));
  for (const std::string& wrong :
       {vae_option() + "--run.sample-vae-groups 2",
        fmt::format("--run.sample-vae {}/other.safetensors --run.sample-vae-groups 4", path_)}) {
    const std::string checksum =
        parse_json(run("vae info --json " +
                       std::regex_replace(wrong, std::regex("--run.sample-vae( |-)"), " --vae$1"))
                       .output,
                   "info")["encoder_checksum"];
    EXPECT_NE(checksum, right);
    EXPECT_THAT(refusal(training("run", 1, wrong)),
                AllOf(HasSubstr(right), HasSubstr(checksum), HasSubstr("/set")));
    EXPECT_FALSE(fs::exists(path_ + "/run"));
  }
  EXPECT_THAT(refusal(training("run", 1, "--run.sample-vae none")), HasSubstr("none"));
}

TEST_F(EncodeCli, GridsStayWithinTheirShareOfTheTime) {
  encode_large("set");
  const Outcome trained = run(training("run", 3, vae_option() + "--run.sample-share 0.0001"), "");
  ASSERT_EQ(trained.status, 0) << trained.errors;
  EXPECT_TRUE(fs::exists(grid("run", 1))) << "nobody knows what the first takes";
  EXPECT_FALSE(fs::exists(grid("run", 2)));
  EXPECT_FALSE(fs::exists(grid("run", 3)));
  EXPECT_THAT(trained.errors,
              AllOf(HasSubstr("step 1: sample grid in"), HasSubstr("of it decoding"),
                    HasSubstr("step 3: no sample grid"), HasSubstr("run.sample-share is 0.0001")));
}

TEST_F(EncodeCli, APlanCountsTheMemoryOfGrids) {
  const auto bytes = [&](const std::string& more) {
    const Outcome plan =
        run("plan --model EDT-Ti/2 --cluster 2xzen3 --ranks 1 --search=off --batch 4 "
            "--micro-batch 4 --json " +
            more);
    EXPECT_EQ(plan.status, 0) << plan.output;
    return parse_json(plan.output, "plan")["fitting"][0]["memory"].value("sample grids", 0.0);
  };
  EXPECT_EQ(bytes(""), 0);
  const double linear = bytes("--run.sample-every 10");
  EXPECT_GT(linear, 4e6) << "weights of the model";
  EXPECT_GT(bytes("--run.sample-every 10 " + vae_option()), linear + 1e6);
}

}  // namespace
}  // namespace edt::test
