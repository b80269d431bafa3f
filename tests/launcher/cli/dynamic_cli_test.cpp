// Gates on heads, hidden units and tokens, as a shell asks for them: a run that begins with another
// one's weights, its ranks and checkpoints, and its samples.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/edt_program.h"
#include "tests/support/mpirun.h"

namespace edt::test {
namespace {

using testing::AllOf, testing::HasSubstr, testing::Not;

class DynamicCli : public CliRun {
 protected:
  // Gates that are half open; the complete network's pass ends after two steps.
  std::string training(const std::string& name, const std::string& more) const {
    return " train --quiet " + tiny_training(data_, path_ + "/" + name) + " --run.init-from " +
           run_ + " --dynamic.target 0.5 --dynamic.router-bias 0 --dynamic.token-bias 0" +
           " --dynamic.warmup 3 --train.masked off --dynamic.complete-steps 2" +
           " --train.timesteps stratified --seed 1 --run.threads 1 " + more;
  }
  Outcome sample(const std::string& name, const std::string& out, const std::string& how) const {
    return run("sample " + path_ + "/" + name + " --weights raw --images 3 --batch 2 --steps 3 " +
               how + " --json --latents " + path_ + "/" + out + ".safetensors");
  }
  std::string text(const std::string& file) const {
    std::ifstream in(path_ + "/" + file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

TEST_F(DynamicCli, TrainsResumesAndSamples) {
  ASSERT_EQ(run(training("gated", "--steps 3")).status, 0);
  EXPECT_THAT(text("gated/metrics.jsonl"),
              AllOf(HasSubstr("\"flop_share\""), HasSubstr("\"complete_loss\"")));
  EXPECT_THAT(run("ckpt info " + path_ + "/gated --json").output, HasSubstr("dynamic"));
  ASSERT_EQ(run(training("gated", "--steps 5")).status, 0);
  // To the bit the run that nobody interrupted, on two ranks that share the weights.
  ASSERT_EQ(
      mpirun("-np 2 " + edt_program() + training("ranks", "--steps 5 --parallel.zero 3")).status,
      0);
  EXPECT_EQ(run("ckpt compare " + path_ + "/gated " + path_ + "/ranks").status, 0);

  const Outcome skipped = sample("gated", "on", "");
  EXPECT_EQ(skipped.status, 0);
  EXPECT_THAT(skipped.output, HasSubstr("\"computed_share\": 0."));
  EXPECT_EQ(sample("gated", "masked", "--dynamic masked").status, 0);
  EXPECT_EQ(sample("gated", "off", "--dynamic off").status, 0);
  EXPECT_THAT(text("on.safetensors"), HasSubstr("\"dynamic\":\"on\""));
  EXPECT_THAT(text("off.safetensors"), Not(HasSubstr("\"dynamic\"")));
  EXPECT_NE(text("on.safetensors"), text("off.safetensors"));

  EXPECT_EQ(run("plan --config " + path_ + "/gated/config.ini --cluster 8xh100 --ranks 2").status,
            0);
  const std::string file = path_ + "/gated.safetensors";
  ASSERT_EQ(run("ckpt export " + path_ + "/gated " + file).status, 0);
  EXPECT_THAT(text("gated.safetensors"),
              AllOf(HasSubstr("blocks.0.attn_rate.router.weight"),
                    HasSubstr("blocks.0.token_selection.mlp_head.2.bias")));
  EXPECT_EQ(
      run("ckpt import " + file + " " + path_ + "/again" + kTinyModel + " --dynamic.target 0.5")
          .status,
      0);
}

// The masked pass is then the complete network's.
TEST_F(DynamicCli, TrainsBesideAMaskedPass) {
  ASSERT_EQ(
      run("train --quiet " + tiny_training(data_, path_ + "/m") + " --dynamic.target 0.5 --steps 2")
          .status,
      0);
  EXPECT_THAT(text("m/metrics.jsonl"),
              AllOf(HasSubstr("\"flop_share\":1"), HasSubstr("\"masked_loss\""),
                    Not(HasSubstr("complete_loss"))));
}

TEST_F(DynamicCli, RefusesInOneLine) {
  const std::string tiny = "train " + tiny_training(data_, path_ + "/x");
  for (const char* const target : {"0", "-0.5", "1.2"}) {
    EXPECT_THAT(refusal(tiny + " --dynamic.target " + target), HasSubstr("dynamic.target"));
  }
  EXPECT_THAT(refusal(tiny + " --dynamic.target 0.5 --train.recompute full"),
              HasSubstr("train.recompute is full"));
  EXPECT_THAT(refusal(tiny + " --dynamic.target 0.5 --dynamic.complete-steps 7"),
              HasSubstr("train.masked"));
  EXPECT_THAT(refusal(tiny + " --dynamic.weight 3"), HasSubstr("dynamic.target is not given"));
  EXPECT_THAT(refusal(tiny + " --dynamic.router-bias 3"), HasSubstr("dynamic.target is not given"));
  EXPECT_THAT(refusal(tiny + " --dynamic.target 0.5 --train.shared-noise on"),
              HasSubstr("train.shared-noise is on"));
  EXPECT_THAT(refusal(tiny + " --dynamic.target 0.5 --prune.target 0.6"),
              HasSubstr("a mask or a gate"));
  EXPECT_THAT(refusal(tiny + " --dynamic.target 0.5 --model.weights ternary"),
              HasSubstr("model.weights is ternary"));
  EXPECT_THAT(refusal(tiny + " --dynamic.target 0.5 --parallel.tensor 2"),
              HasSubstr("cannot be cut over 2 tensor ranks"));
  EXPECT_THAT(refusal("train --data " + data_ + " --run.dir " + path_ + "/x --model MDTv2-S/2" +
                      " --model.image-size 64 --model.widths 24 --model.heads 3" +
                      " --model.depths 2,2 --dynamic.target 0.5"),
              HasSubstr("blocks of MDTv2-S/2 have no gates"));
  EXPECT_THAT(refusal("sample " + run_ + " --images 1 --dynamic off --out " + path_ + "/s.png"),
              HasSubstr("has no gates"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/x"));
}

}  // namespace
}  // namespace edt::test
