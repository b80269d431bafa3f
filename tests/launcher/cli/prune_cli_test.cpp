// Pruning a run, as a shell asks for it: masks, cut, a smaller network that all commands take.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/edt_program.h"
#include "tests/support/mpirun.h"

namespace edt::test {
namespace {

using testing::HasSubstr, testing::Not;

// Masks that decide in ten steps of a learning rate that is large for them, and three steps of the
// smaller network.
constexpr const char* kQuick = " --mask-steps 16 --tune-steps 3 --prune.hidden-multiple 4 ";

class PruneCli : public CliRun {
 protected:
  std::string prune(const std::string& out, const std::string& options = "--target 0.6") const {
    return "prune --quiet " + run_ + " " + path_ + "/" + out + kQuick + options;
  }
  std::string text(const std::string& file) const { return read_text_of(path_ + "/" + file); }
  std::string info(const std::string& name) const {
    return run("ckpt info " + path_ + "/" + name + " --json").output;
  }
  static std::string read_text_of(const std::string& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

TEST_F(PruneCli, MakesARunOfASmallerNetwork) {
  ASSERT_EQ(run(prune("small")).status, 0);
  const std::string config = text("small/config.ini");
  EXPECT_THAT(config, HasSubstr("block-heads = 1,"));
  EXPECT_THAT(config, Not(HasSubstr("block-hidden = \n")));
  EXPECT_THAT(config, HasSubstr("\nclasses = 12\n"));  // as its teacher, also without data
  EXPECT_THAT(config, HasSubstr("from = " + run_));    // its teacher
  // Done is done, and it is a run as any other.
  EXPECT_EQ(run(prune("small")).status, 0);
  // What is given when it is started again counts for what is left.
  EXPECT_EQ(run(prune("small", "--target 0.6 --tune-steps 4 --keep-checkpoints 9")).status, 0);
  EXPECT_THAT(text("small/config.ini"), HasSubstr("\nsteps = 4\n"));
  EXPECT_THAT(text("small/config.ini"), HasSubstr("\nkeep-checkpoints = 9\n"));
  EXPECT_THAT(refusal("prune --quiet " + run_ + " " + path_ + "/small --tune-steps 5 --lr 1e-4"),
              HasSubstr("optimizer.lr 0.001 -> 0.0001"));
  // What made the masks is over.
  EXPECT_THAT(refusal(prune("small", "--target 0.5")),
              HasSubstr("small is cut already, with prune.target 0.6; now it is 0.5"));
  EXPECT_THAT(refusal(prune("small", "--target 0.6 --distilled off")),
              HasSubstr("with distilled on; now it is off"));
  EXPECT_THAT(refusal(prune("small", "--target 0.6 --mask-steps 17")),
              HasSubstr("with mask-steps 16; now it is 17"));
  EXPECT_THAT(refusal(prune("small", "--target 0.6 --prune.least 0.2")),
              HasSubstr("with prune.least 0.15; now it is 0.2"));
  EXPECT_EQ(run("train --quiet --steps 5 --run.dir " + path_ + "/small").status, 0);
  EXPECT_THAT(refusal("train --quiet --run.dir " + path_ + "/small --steps 6 --parallel.tensor 2"),
              HasSubstr("cannot be cut over 2 tensor ranks"));
  EXPECT_EQ(run("sample " + path_ + "/small --images 2 --steps 2 --out " + path_ + "/s.png").status,
            0);
  EXPECT_EQ(run("plan --config " + path_ + "/small/config.ini --cluster 8xh100 --ranks 2").status,
            0);
  const std::string file = path_ + "/small.safetensors";
  EXPECT_EQ(run("ckpt export " + path_ + "/small " + file).status, 0);
  // The exported weights are of a model of these blocks alone.
  EXPECT_THAT(refusal("ckpt import " + file + " " + path_ + "/whole" + kTinyModel),
              HasSubstr(file));
  const auto list = [&](const char* key) {
    const auto at = config.find(key);
    return config.substr(at, config.find('\n', at) - at).substr(std::string(key).size());
  };
  EXPECT_EQ(run("ckpt import " + file + " " + path_ + "/again" + kTinyModel +
                " --model.block-heads=" + list("block-heads = ") +
                " --model.block-hidden=" + list("block-hidden = "))
                .status,
            0);
  EXPECT_THAT(refusal("ckpt import " + file + " " + path_ + "/short" + kTinyModel +
                      " --model.block-heads=1,1"),
              HasSubstr("model.block-heads has 2 numbers, the model 6 blocks"));
}

// Masks alone, looked at in their course, then cut; the same on two ranks, at another stage.
TEST_F(PruneCli, MasksAreARunOfTheirOwn) {
  const auto masked = [&](const std::string& name, const std::string& more) {
    return " " + tiny_training(data_, path_ + "/" + name) + " --run.init-from " + run_ +
           " --prune.target 0.6 --prune.decided-by 10 --prune.hidden-multiple 4 --seed 1" +
           " --prune.speed 1 --run.threads 1 " + more;
  };
  ASSERT_EQ(run("train --quiet" + masked("masked", "--steps 4")).status, 0);
  EXPECT_THAT(info("masked"), HasSubstr("prune"));
  EXPECT_THAT(refusal("prune " + path_ + "/masked " + path_ + "/early"),
              HasSubstr("masks have not decided yet"));
  EXPECT_EQ(
      run("sample " + path_ + "/masked --images 2 --steps 2 --out " + path_ + "/m.png").status, 0);
  EXPECT_THAT(refusal("ckpt export " + path_ + "/masked " + path_ + "/m.safetensors"),
              HasSubstr("edt prune cuts it"));
  EXPECT_THAT(refusal("train " + tiny_training(data_, path_ + "/next") + " --run.init-from " +
                      path_ + "/masked"),
              HasSubstr("edt prune cuts it"));
  EXPECT_THAT(refusal("train " + tiny_training(data_, path_ + "/next") + " --distill.from " +
                      path_ + "/masked"),
              HasSubstr("edt prune cuts it"));
  ASSERT_EQ(run("train --quiet" + masked("masked", "--steps 12")).status, 0);
  ASSERT_EQ(mpirun("-np 2 " + edt_program() + " train --quiet" +
                   masked("ranks", "--steps 12 --parallel.zero 3"))
                .status,
            0);
  EXPECT_EQ(run("ckpt compare " + path_ + "/masked " + path_ + "/ranks").status, 0);
  EXPECT_THAT(refusal("prune " + path_ + "/masked " + path_ + "/cut --target 0.5"),
              HasSubstr("--target is 0.5"));
  EXPECT_THAT(refusal("prune " + path_ + "/masked " + path_ + "/cut --mask-steps 5"),
              HasSubstr("--mask-steps is 5"));
  ASSERT_EQ(run("prune --quiet " + path_ + "/masked " + path_ + "/cut --tune-steps 0").status, 0);
  EXPECT_THAT(text("cut/config.ini"), Not(HasSubstr("block-hidden = \n")));
  EXPECT_THAT(text("cut/config.ini"), HasSubstr("\n[prune]\ntarget = 0\n"));
  EXPECT_EQ(run("sample " + path_ + "/cut --images 2 --steps 2 --out " + path_ + "/c.png").status,
            0);
}

TEST_F(PruneCli, KeepsAllAtATargetOfOne) {
  ASSERT_EQ(run(prune("all", "--target 1 --tune-steps 0")).status, 0);
  EXPECT_FALSE(std::filesystem::exists(path_ + "/all/masks"));
  EXPECT_THAT(text("all/config.ini"), HasSubstr("block-heads = \nblock-hidden = \n"));
  const std::string file = path_ + "/a.safetensors", other = path_ + "/b.safetensors";
  ASSERT_EQ(run("ckpt export " + run_ + " " + file).status, 0);
  ASSERT_EQ(run("ckpt export " + path_ + "/all " + other).status, 0);
  const auto tensors = [](const std::string& text) { return text.substr(text.find("}}") + 2); };
  EXPECT_EQ(tensors(read_text_of(file)), tensors(read_text_of(other)));
}

TEST_F(PruneCli, RefusesInOneLine) {
  EXPECT_THAT(refusal(prune("x", "")), HasSubstr("has no masks, and --target is 0"));
  EXPECT_THAT(refusal(prune("x", "--target 1.2")), HasSubstr("prune.target"));
  EXPECT_THAT(refusal(prune("x", "--target -0.5")), HasSubstr("prune.target"));
  EXPECT_THAT(refusal(prune("x", "--target 0.01")), HasSubstr("stay at the least"));
  EXPECT_THAT(refusal(prune("x", "--target 0.6 --train.steps 9")), HasSubstr("--mask-steps"));
  EXPECT_THAT(refusal("prune " + path_ + "/nowhere " + path_ + "/x --target 0.6"),
              HasSubstr(path_ + "/nowhere"));
  EXPECT_THAT(refusal("train " + tiny_training(data_, path_ + "/y") + " --prune.frozen 0.5"),
              HasSubstr("prune.target is 0"));
  EXPECT_THAT(refusal("train " + tiny_training(data_, path_ + "/y") +
                      " --prune.target 0.6 --model.weights ternary"),
              HasSubstr("model.weights is ternary"));
  // Of the tensor ranks to come, before any mask trains.
  EXPECT_THAT(refusal(prune("x", "--target 0.6 --parallel.tensor 2")),
              HasSubstr("parallel.tensor is 2, and prune.head-multiple is 1"));
  EXPECT_THAT(refusal("train --data " + data_ + " --run.dir " + path_ + "/y --model MDTv2-S/2" +
                      " --model.image-size 64 --model.widths 24 --model.heads 3" +
                      " --model.depths 2,2 --prune.target 0.6"),
              HasSubstr("[prune] prune.target is 0.6, and blocks of MDTv2-S/2"));
  const std::string gates = path_ + "/gates";
  ASSERT_EQ(run("train --quiet " + tiny_training(data_, gates) +
                " --train.masked off --dynamic.target 0.7 --steps 1")
                .status,
            0);
  EXPECT_THAT(refusal("prune " + gates + " " + path_ + "/x --target 0.6"),
              HasSubstr("has gates (dynamic.target = 0.7)"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/x"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/y"));
}

}  // namespace
}  // namespace edt::test
