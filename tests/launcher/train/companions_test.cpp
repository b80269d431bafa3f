// What trains beside the denoising loss, through the program: the same bits after an interruption,
// curves, weights for sampling without it, runs that begin with and without it, and refusals.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include "core/storage/safetensors.h"
#include "tests/launcher/train/edt_command.h"
#include "tests/support/message_of.h"
#include "tests/support/run_metrics.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"
#include "tests/support/tiny_run.h"

namespace edt::test {
namespace {

using ::testing::HasSubstr;

class CompanionRun : public testing::Test {
 protected:
  CompanionRun() { write_tiny_data(directory_ / "set"); }
  TrainConfig config(const std::string& run, std::int64_t steps, bool aligned = true) const {
    TrainConfig config = tiny_config(directory_ / "set", path(run));
    config.train.steps = steps;
    if (aligned) config.align.with = {"latent"};
    return config;
  }
  std::filesystem::path path(const std::string& name) const { return directory_.path() / name; }
  static std::string refusal(const TrainConfig& config) {
    return message_of<Error>([&] { run(config); });
  }

  TempDir directory_;
};

TEST_F(CompanionRun, GoesOnWithTheSameBits) {
  ASSERT_EQ(run(config("whole", 4)), kDone);
  ASSERT_EQ(run(config("parts", 1)), kDone);
  ASSERT_EQ(run(config("parts", 4)), kDone);
  const auto whole = contents(path("whole"));
  EXPECT_EQ(whole, contents(path("parts")));
  EXPECT_TRUE(whole.contains("master:align_head.net.8.weight"));
  EXPECT_NE(whole.at("master:align_head.net.8.weight"), whole.at("ema:align_head.net.8.weight"));
}

// What the teacher's choices are centred by is kept as weights are.
TEST_F(CompanionRun, OfPrototypesGoesOnWithItsCentre) {
  const auto with = [&](const std::string& name, std::int64_t steps) {
    TrainConfig made = config(name, steps, false);
    made.align.with = {"prototypes"};
    made.align.prototypes.prototypes = 24;
    made.align.prototypes.width = 8;
    return made;
  };
  ASSERT_EQ(run(with("whole", 4)), kDone);
  ASSERT_EQ(run(with("parts", 1)), kDone);
  ASSERT_EQ(run(with("parts", 4)), kDone);
  const auto whole = contents(path("whole"));
  EXPECT_EQ(whole, contents(path("parts")));
  ASSERT_TRUE(whole.contains("companion.align_prototypes"));
  EXPECT_EQ(whole.at("companion.align_prototypes").size(), 24u);
  EXPECT_TRUE(whole.contains("ema:prototypes.weight"));
  TrainConfig other = with("parts", 5);
  other.align.prototypes.prototypes = 25;
  EXPECT_THAT(refusal(other), HasSubstr("prototypes.weight is [24, 8], the model has [25, 8]"));
}

// The head changes no initial weight of the network: the loss of the first step is the same.
TEST_F(CompanionRun, HasACurveOfItsOwn) {
  ASSERT_EQ(run(config("with", 2)), kDone);
  ASSERT_EQ(run(config("without", 2, false)), kDone);
  const auto with = metrics_of(path("with")), without = metrics_of(path("without"));
  EXPECT_EQ(with[0]["loss"], without[0]["loss"]);
  EXPECT_EQ(with[0]["mse"], without[0]["mse"]);
  EXPECT_GT(with[0]["beside"]["align_latent"].get<double>(), 0);
  EXPECT_NE(with[1]["beside"]["align_latent"], with[0]["beside"]["align_latent"]);
  EXPECT_FALSE(without[0].contains("beside"));
  EXPECT_THAT(edt_command({"watch", path("with"), "--once"}).out,
              HasSubstr("loss of align latent"));
}

TEST_F(CompanionRun, IsNotExported) {
  ASSERT_EQ(run(config("run", 2)), kDone);
  const auto file = path("weights.safetensors");
  const auto exported = edt_command({"ckpt", "export", path("run"), file});
  ASSERT_EQ(exported.status, kDone) << exported.error;
  const SafetensorsReader reader(file);
  EXPECT_NE(reader.find("blocks.0.attn.qkv.weight"), nullptr);
  for (const SafetensorsEntry& entry : reader.entries()) {
    EXPECT_FALSE(entry.name.starts_with("align_head")) << entry.name;
  }
  EXPECT_THAT(edt_command({"ckpt", "info", path("run")}).out, HasSubstr("align.latent"));
}

TEST_F(CompanionRun, IsNotSampled) {
  ASSERT_EQ(run(config("run", 2)), kDone);
  const auto sampled = edt_command({"sample", "--checkpoint", path("run"), "--images", "2",
                                    "--steps", "2", "--latents", path("latents.h5")});
  EXPECT_EQ(sampled.status, kDone) << sampled.error;
}

TEST_F(CompanionRun, CannotComeOrGoInARun) {
  ASSERT_EQ(run(config("without", 1, false)), kDone);
  EXPECT_THAT(refusal(config("without", 2)),
              HasSubstr("was trained with no part besides, now it is align.latent: run.init-from "
                        "begins a new run with its weights"));
  ASSERT_EQ(run(config("with", 1)), kDone);
  EXPECT_THAT(refusal(config("with", 2, false)),
              HasSubstr("was trained with align.latent, now it is no part besides"));
}

TEST_F(CompanionRun, ComesAndGoesWhereARunBeginsWithTheWeightsOfAnother) {
  ASSERT_EQ(run(config("without", 2, false)), kDone);
  TrainConfig added = config("added", 1);
  added.run.init_from = path("without");
  added.optimizer.rate.initial = 1e-30;  // keeps what it begins with
  added.optimizer.ema_decay = 1;
  ASSERT_EQ(run(added), kDone);
  const auto first = contents(path("without"));
  auto second = contents(path("added"));
  EXPECT_EQ(second.at("ema:blocks.0.attn.qkv.weight"), first.at("ema:blocks.0.attn.qkv.weight"));
  EXPECT_TRUE(second.contains("master:align_head.net.8.weight"));
  EXPECT_NE(second.at("ema:align_head.net.8.weight")[0], 0);

  TrainConfig left_out = config("left-out", 1, false);
  left_out.run.init_from = path("added");
  ASSERT_EQ(run(left_out), kDone);
  EXPECT_FALSE(contents(path("left-out")).contains("master:align_head.net.8.weight"));

  TrainConfig other = config("other", 1);
  other.run.init_from = path("added");
  other.align.latent.layers = 3;
  EXPECT_THAT(refusal(other),
              HasSubstr("align_head.net.4.weight is [24, 24], the model has [64, 24]"));
  other.align.latent.layers = 7;
  EXPECT_THAT(refusal(other),
              HasSubstr("align_head.net.8.weight is [64, 24], the model has [24, 24]"));
  EXPECT_FALSE(std::filesystem::exists(path("other") / "metrics.jsonl"));
  other.run.init_from = path("nothing");
  EXPECT_THAT(refusal(other), HasSubstr("nothing"));
}

// A student that begins with the teacher's weights has nothing to learn of it in its first step.
TEST_F(CompanionRun, LearnsOfAFinishedRun) {
  ASSERT_EQ(run(config("teacher", 3, false)), kDone);
  TrainConfig student = config("student", 2, false);
  student.run.init_from = student.distill.from = path("teacher");
  student.distill.attention = 100;
  ASSERT_EQ(run(student), kDone);
  auto lines = metrics_of(path("student"));
  EXPECT_EQ(lines[0]["beside"].size(), 6u);  // and a map at the end of each stage
  for (const auto& [term, value] : lines[0]["beside"].items()) {
    EXPECT_LT(value.get<double>(), 1e-12) << term;
  }
  EXPECT_GT(lines[1]["beside"]["distill_output"].get<double>(), 1e-9);

  TrainConfig smaller = config("smaller", 2, false);
  smaller.model.sizes.widths = {4, 8, 8, 8, 4};
  smaller.model.sizes.heads = {1, 2, 2, 2, 1};
  smaller.distill.from = path("teacher");
  smaller.distill.attention = 1;
  ASSERT_EQ(run(smaller), kDone);
  TrainConfig parts = smaller;
  parts.run.directory = path("parts");
  parts.train.steps = 1;
  ASSERT_EQ(run(parts), kDone);
  parts.train.steps = 2;
  ASSERT_EQ(run(parts), kDone);
  EXPECT_EQ(contents(path("smaller")), contents(path("parts")));
  EXPECT_GT(metrics_of(path("smaller"))[0]["beside"]["distill_output"].get<double>(), 0);
}

TEST_F(CompanionRun, RefusesTeachersThatSayOtherThings) {
  ASSERT_EQ(run(config("teacher", 1, false)), kDone);
  TrainConfig student = config("student", 1, false);
  student.distill.from = path("teacher");
  student.model.process = {.config = ProcessConfig::flow(), .declared = true};
  EXPECT_THAT(refusal(student), HasSubstr("it is trained on " + text_of(ProcessConfig{}) +
                                          ", EDT-Ti/2 on " + text_of(ProcessConfig::flow())));
  student = config("student", 1, false);
  student.distill.from = path("teacher");
  student.distill.output = 0;
  EXPECT_THAT(refusal(student), HasSubstr("distill.output and distill.attention are 0"));
  student.distill.attention = 1;
  student.distill.after = {1, 2};
  EXPECT_THAT(refusal(student), HasSubstr("distill.after names 2 blocks"));
  student.distill.after = {1, 2, 3, 4, 99};
  EXPECT_THAT(refusal(student), HasSubstr("distill.after is 99"));
  student.distill.after = {2, 1, 3, 4, 6};
  EXPECT_THAT(refusal(student), HasSubstr("distill.after is 2, where EDT-Ti/2 has 4 x 4 tokens"));
  student.distill.from = path("nothing");
  EXPECT_THAT(refusal(student), HasSubstr("nothing: there is no such directory"));
  EXPECT_FALSE(std::filesystem::exists(path("student")));
}

// A run names the checkpoint of its teacher, and so goes on with it where the teacher has others.
TEST_F(CompanionRun, KeepsTheTeacherThatItBeganWith) {
  ASSERT_EQ(run(config("teacher", 1, false)), kDone);
  const std::vector<std::string> begin{"train",
                                       "--quiet",
                                       "--data",
                                       path("set"),
                                       "--run.dir",
                                       path("student"),
                                       "--model.preset=EDT-Ti/2",
                                       "--model.image-size=128",
                                       "--model.widths=8,12,16,12,8",
                                       "--model.heads=2,3,4,3,2",
                                       "--train.batch=8",
                                       "--train.micro-batch=4",
                                       "--train.steps=1",
                                       "--distill.from=" + path("teacher").string()};
  const Outcome first = edt_command(begin);
  ASSERT_EQ(first.status, kDone) << first.error;
  const std::string chosen = find_checkpoint(path("teacher")).path().string();
  EXPECT_THAT(read_text(path("student") / "config.ini"), HasSubstr("from = " + chosen));
  ASSERT_EQ(run(config("teacher", 2, false)), kDone);
  std::vector<std::string> again = begin;
  again.push_back("--train.steps=2");
  const Outcome other = edt_command(again);
  EXPECT_EQ(other.status, kWrongUsage);
  EXPECT_THAT(other.error, HasSubstr("distill.from " + chosen + " -> "));
  const Outcome same = edt_command({"train", "--run.dir", path("student"), "--train.steps=2"});
  EXPECT_EQ(same.status, kDone) << same.error;
  EXPECT_EQ(metrics_of(path("student")).size(), 2u);
}

TEST_F(CompanionRun, RefusesATeacherOfOtherLatents) {
  write_tiny_data(directory_ / "other", TinyLatents{.with_statistics = true});
  TrainConfig teacher = config("teacher", 1, false);
  teacher.data.path = path("other");
  teacher.data.normalize = true;
  ASSERT_EQ(run(teacher), kDone);
  TrainConfig student = teacher;
  student.run.directory = path("student");
  student.distill.from = path("teacher");
  student.data.normalize = false;
  EXPECT_THAT(refusal(student), HasSubstr("latents normalized by mean"));
  EXPECT_FALSE(std::filesystem::exists(path("student")));
  student.data.normalize = true;
  EXPECT_EQ(run(student), kDone);
}

// What a whole command line says.
std::string refused(std::vector<std::string> options) {
  std::vector<std::string> args{"train", "--data.path=/nowhere", "--run.dir=/nowhere"};
  args.insert(args.end(), options.begin(), options.end());
  const Outcome outcome = edt_command(args);
  EXPECT_EQ(outcome.status, kWrongUsage);
  return outcome.error;
}

TEST(CompanionOptions, AreThoseOfWhatIsAskedFor) {
  EXPECT_THAT(refused({"--align.latent.after=2"}),
              HasSubstr("align.latent.after is used only when align.with is latent, and it is not "
                        "given"));
  EXPECT_THAT(refused({"--align.with=latent", "--align.latent.weight=0"}),
              HasSubstr("align.latent.weight"));
  EXPECT_THAT(refused({"--align.with=latents"}), HasSubstr("did you mean 'latent'"));
  EXPECT_THAT(
      refused({"--align.with=latent", "--align.latent.distance=l1", "--align.latent.beta=0.1"}),
      HasSubstr("align.latent.beta is used only when align.latent.distance is smooth-l1"));
  EXPECT_THAT(refused({"--distill.output=2"}), HasSubstr("distill.from names none"));
  EXPECT_THAT(refused({"--distill.from=/nowhere", "--distill.after=2"}),
              HasSubstr("distill.after names blocks, and distill.attention, the weight of their "
                        "maps, is 0"));
  EXPECT_THAT(refused({"--distill.from=/nowhere", "--distill.attention=1", "--distill.after=2,2"}),
              HasSubstr("a list in which 2 stands once"));
  EXPECT_THAT(refused({"--align.with=latent,latent"}),
              HasSubstr("a list in which latent is named once"));
}

// The teacher would be the model itself.
TEST_F(CompanionRun, RefusesATeacherWithoutAMovingAverage) {
  for (const char* with : {"teacher", "prototypes"}) {
    TrainConfig off = config("off", 1, false);
    off.align.with = {with};
    off.optimizer.ema_decay = 0;
    EXPECT_THAT(refusal(off),
                HasSubstr(std::string("align.with names ") + with +
                          ", and optimizer.ema-decay is 0: the moving average is off"));
  }
  EXPECT_FALSE(std::filesystem::exists(path("off")));
}

TEST_F(CompanionRun, RefusesABlockThatIsNotThere) {
  TrainConfig beyond = config("beyond", 1);
  beyond.align.latent.after = 99;
  EXPECT_THAT(refusal(beyond), HasSubstr("align.latent.after is 99, EDT-Ti/2 has 6 blocks"));
  EXPECT_FALSE(std::filesystem::exists(path("beyond")));
}

}  // namespace
}  // namespace edt::test
