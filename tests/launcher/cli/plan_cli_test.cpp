// `edt plan` as a shell sees it, and what does not fit into memory.
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "core/json/json_text.h"
#include "tests/support/edt_program.h"

namespace edt::test {
namespace {

using testing::HasSubstr;

TEST_F(Cli, PlansAModelThatNoMachineHereCouldHold) {
  const Outcome plan =
      run("plan --model EDT-XL/2 --run.dtype bf16 --cluster 8xh100 --ranks 16 --train.batch=64 "
          "--train.micro-batch=4 --parallel.zero=3 --parallel.shard-ranks=0 --parallel.tensor=1 "
          "--train.recompute=none --json");
  ASSERT_EQ(plan.status, 0) << plan.output;
  const auto json = parse_json(plan.output, "output");
  ASSERT_EQ(json["fitting"].size(), 1u);
  const auto& best = json["fitting"][0];
  EXPECT_EQ(best["data_ranks"], 16);
  EXPECT_GT(best["memory_bytes"], 1e9);
  EXPECT_GT(best["gradient_wire_bytes"], 2.5e9) << "4 bytes x 698 M x 15 / 16";
  EXPECT_LT(best["gradient_wire_bytes"], 2.8e9);
}

TEST_F(Cli, APlanFindsMicroBatchesOfAnyBatch) {
  const std::string file = write("c.ini", "[train]\nmicro-batch = 5\n");
  for (const std::string& from : {std::string(), " --config " + file}) {
    const Outcome plan =
        run("plan --model EDT-Ti/2 --cluster 2xzen3 --train.batch=12 --train.recompute=none "
            "--parallel.tensor=1 --json" +
            from);
    ASSERT_EQ(plan.status, 0) << plan.output;
    for (const auto& choice : parse_json(plan.output, "output")["fitting"]) {
      EXPECT_THAT(choice["micro_batch"].get<int>(), testing::AnyOf(3, 6));
    }
  }
  EXPECT_THAT(refusal("plan --train.batch=12 --train.micro-batch=5"), HasSubstr("5"));
  EXPECT_THAT(refusal("plan --train.batch=12 --search=off"),
              HasSubstr("more than the 4 micro-batches"));
}

// As training would.
TEST_F(Cli, APlanNamesTheOptionThatDoesNotFitTheModel) {
  EXPECT_THAT(refusal("plan --model E-MMDiT --ranks 1"),
              HasSubstr("train.masked is on, but E-MMDiT has no masked pass: turn it off"));
}

TEST_F(Cli, PlansHowLongEncodingTakes) {
  const auto plan = [](const std::string& more) {
    const Outcome outcome = run("plan --encode 1000000 --cluster 8xh100 --json " + more);
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    return parse_json(outcome.output, "output");
  };
  const auto estimate = plan("--image-size 256");
  EXPECT_TRUE(estimate["is_estimate"]);
  EXPECT_EQ(estimate["autoencoder"], "AutoencoderKL f8 c4");
  EXPECT_NEAR(estimate["flops_per_picture"].get<double>(), 2 * 136.4e9, 0.1e9);
  EXPECT_EQ(estimate["bytes"], 2 * 2 * 8 * 32 * 32 * 1e6) << "moments of both orientations";
  EXPECT_GT(estimate["memory_bytes"], 4 * 34.1e6) << "the encoder";
  // Eight devices, both orientations.
  const auto measured = plan("--encode-rate 100");
  EXPECT_FALSE(measured["is_estimate"]);
  EXPECT_DOUBLE_EQ(measured["pictures_per_s"], 8 * 100 / 2.0);
  EXPECT_DOUBLE_EQ(measured["seconds"], 1e6 / 400);
  EXPECT_DOUBLE_EQ(plan("--encode-rate 100 --ranks 16 --encode-vae taesd")["seconds"], 1e6 / 800);
  EXPECT_NEAR(plan("--encode-rate 50 --encode-vae taesd")["seconds"].get<double>(), 1e6 / 200, 1);
  EXPECT_THAT(run("plan --encode 1000 --cluster 8xh100").output, HasSubstr("an estimate"));
  EXPECT_THAT(refusal("plan --encode 10 --encode-vae none.safetensors"), HasSubstr("none"));
}

// A run that has gone 2000 of 6000 steps along a power law.
TEST_F(Cli, SaysWhereTheLossOfARunGoes) {
  std::string metrics;
  for (int step = 1; step <= 2000; ++step) {
    metrics += fmt::format("{{\"step\":{},\"loss\":{},\"lr\":0.001}}\n", step,
                           0.2 + 1.5 * std::pow(step, -0.5));
  }
  write("run/metrics.jsonl", metrics);
  write("run/config.ini", "[model]\npreset = EDT-Ti/2\n\n[train]\nsteps = 6000\nbatch = 8\n");
  const double truth = 0.2 + 1.5 * std::pow(6000, -0.5);
  const std::string plan =
      "plan --model EDT-Ti/2 --cluster 2xzen3 --steps 6000 --from-run " + path_ + "/run ";
  const auto planned = parse_json(run(plan + "--train.batch=8 --json").output, "output")["loss"];
  EXPECT_NEAR(planned["loss"].get<double>(), truth, 1e-6) << planned;
  EXPECT_THAT(run(plan + "--train.batch=8").output, HasSubstr("loss: 0.2194 at step 6,000"));
  EXPECT_THAT(refusal(plan + "--train.batch=16"), HasSubstr("train.batch 8, the plan has 16"));

  const std::string watch = "watch " + path_ + "/run --once ";
  const auto seen = parse_json(run(watch + "--json").output, "output")["runs"][0]["forecast"];
  EXPECT_EQ(seen["step"], 6000);
  EXPECT_NEAR(seen["loss"].get<double>(), truth, 1e-6);
  EXPECT_THAT(run(watch).output, HasSubstr("loss ahead: 0.2194 at step 6,000"));
  EXPECT_THAT(run(watch + "--forecast 100000").output,
              HasSubstr("no forecast: step 100,000 is more than 10 times as far"));
  const auto none = parse_json(run(watch + "--json --forecast 0").output, "output")["runs"][0];
  EXPECT_FALSE(none.contains("forecast"));
}

TEST_F(Cli, RefusesWrongPlans) {
  const std::string cluster = write("c.ini", "[cluster]\nname = x\nnodes = 1\ndevices = none\n");
  EXPECT_THAT(refusal("plan --cluster " + cluster), HasSubstr("c.ini:4)"));
  EXPECT_THAT(refusal("plan --cluster 8xh10"), HasSubstr("8xh100"));
  EXPECT_THAT(refusal("plan --ranks 20000 --cluster 8xh100"), HasSubstr("16384"));
  EXPECT_THAT(refusal("plan --scale 4..1"), HasSubstr("4..1"));
}

TEST_F(Cli, ATrainingThatDoesNotFitIsRefusedBeforeItRuns) {
  const std::string data = path_ + "/data";
  ASSERT_EQ(run("data synth --out " + data + " --samples 64 --image-size 128 --quiet").status, 0);
  const std::string arguments = "train --data " + data + " --run.dir " + path_ +
                                "/run --model EDT-XL/2 --model.image-size=128 "
                                "--train.batch=512 --train.micro-batch=512 --quiet";
  const std::string message = refusal(arguments);
  EXPECT_THAT(message, HasSubstr("[memory] EDT-XL/2"));
  EXPECT_THAT(message, HasSubstr(" needs "));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/run"));
}

}  // namespace
}  // namespace edt::test
