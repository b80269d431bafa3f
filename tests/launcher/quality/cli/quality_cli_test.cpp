// edt bench quality as people call it, on runs of some steps.
#include <fmt/format.h>
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/json/json_text.h"
#include "tests/golden/evaluation/ruled_inception.h"
#include "tests/support/edt_program.h"
#include "tests/support/mpirun.h"
#include "tests/support/picture_files.h"
#include "tests/support/places.h"
#include "tests/support/text_files.h"

namespace edt::test {
namespace {

using testing::HasSubstr;

class QualityCli : public Cli {
 protected:
  QualityCli() { write_tiny_set(path_ + "/data", 64); }

  // Budgets of FLOPs: the steps do not depend on how fast the machine is.
  std::string study(const std::string& out) const {
    return "bench quality --quiet --json --data " + path_ + "/data --out " + path_ + "/" + out +
           " --arms edt,edt-unmasked,edt-flow --seeds 0 --flops 1e10 --points 2 --batch 8 "
           "--micro-batch 4 --samples 16 --sampler-steps 2 --draws 4 --pictures 10 "
           "--run.threads 1 ";
  }
  static nlohmann::json figures(const Outcome& outcome) {
    EXPECT_EQ(outcome.status, 0) << outcome.errors;
    nlohmann::json json = parse_json(outcome.output, "study");
    nlohmann::json all;
    for (const auto& [key, arm] : json["arms"].items()) {
      if (arm["runs"].empty()) continue;
      for (auto point : arm["runs"][0]["points"]) {
        point.erase("seconds");
        all[key].push_back(point);
      }
    }
    return all;
  }
};

TEST_F(QualityCli, TrainsMeasuresGoesOnAndReports) {
  // One run alone, as an element of a job array; then all, which keeps it.
  const Outcome first = run(study("a") + "--task 1");
  const auto one = figures(first);
  ASSERT_EQ(one.size(), 1u);
  const Outcome outcome = run(study("a"));
  const auto all = figures(outcome);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all["edt-unmasked"], one["edt-unmasked"]);
  for (const auto& [key, points] : all.items()) {
    ASSERT_EQ(points.size(), 2u) << key;
    EXPECT_GE(points[0]["flops"].get<double>(), 0.98 * 0.5e10) << key;
    EXPECT_GE(points[1]["flops"].get<double>(), 0.98 * 1e10) << key;
    EXPECT_LT(points[1]["flops"].get<double>(), 1.2 * 1e10) << key;
    EXPECT_GT(points[1]["held_out_error"].get<double>(), 0) << key;
    EXPECT_TRUE(std::filesystem::exists(path_ + "/a/grids/" + key + "-seed-0.png"));
  }
  const std::string html = read_text(path_ + "/a/quality.html");
  EXPECT_THAT(html, HasSubstr("Error of the predicted noise on held-out samples"));
  EXPECT_THAT(html, HasSubstr("data:image/png;base64,"));
  EXPECT_THAT(read_text(path_ + "/a/quality.csv"), HasSubstr("edt-flow,0,"));

  // What is gone of the measurements of a finished run is measured again, with the same result.
  std::filesystem::remove(path_ + "/a/points/edt-flow-seed-0-2.json");
  EXPECT_EQ(figures(run(study("a"))), all);
  EXPECT_EQ(figures(run(study("a") + "--run off")), all);

  // What is damaged of them is named before anything is trained.
  const std::string point = path_ + "/a/points/edt-seed-0-1.json";
  std::filesystem::remove(path_ + "/a/points/edt-flow-seed-0-2.json");
  for (const char* text : {"", "{}", "[1]", "{\"step\": \"x\"}"}) {
    write_text(point, text);
    EXPECT_THAT(refusal(study("a")), HasSubstr(point + " is damaged")) << text;
    EXPECT_THAT(refusal(study("a") + "--run off"), HasSubstr("remove it, to measure anew"));
  }
  EXPECT_FALSE(std::filesystem::exists(path_ + "/a/points/edt-flow-seed-0-2.json"));
}

TEST_F(QualityCli, RanksGiveTheSameFigures) {
  const auto one = figures(run(study("one")));
  const auto two = figures(mpirun("-np 2 " + edt_program() + " " + study("two")));
  EXPECT_EQ(one, two);
}

// Pictures of one's own, through an autoencoder: FID besides, and grids that it decodes.
TEST_F(QualityCli, OfPicturesThroughAnAutoencoderHasFid) {
  for (unsigned i = 0; i < 24; ++i) {
    write_text(fmt::format("{}/photos/{}/{}.png", path_, i % 2 == 0 ? "even" : "odd", i),
               png_file(drawn_picture(64, 64, i)));
  }
  const std::string vae = path_ + "/vae", golden = in_sources("tests/golden");
  std::filesystem::create_directories(vae);
  std::filesystem::copy_file(golden + "/vae/vae_tiny.safetensors",
                             vae + "/diffusion_pytorch_model.safetensors");
  std::filesystem::copy_file(golden + "/vae/vae_tiny_config.json", vae + "/config.json");
  write_ruled_inception(GoldenFile(golden + "/evaluation/inception.h5"), path_ + "/inception");
  const std::string sees = " --inception " + path_ + "/inception --vae " + vae;
  ASSERT_EQ(run("data encode --quiet --pictures " + path_ + "/photos --vae " + vae +
                " --image-size 64 --out " + path_ + "/encoded")
                .status,
            0);
  ASSERT_EQ(run("evaluate reference " + path_ + "/photos --inception " + path_ +
                "/inception --out " + path_ + "/ref.h5")
                .status,
            0);
  const auto of = [&](const std::string& out) {
    return "bench quality --quiet --json --data " + path_ + "/encoded --out " + path_ + "/" + out +
           " --arms edt,dit --seeds 0 --flops 4e9 --points 1 --batch 8 --micro-batch 4 --samples 6"
           " --sampler-steps 2 --draws 4 --pictures 4 --run.threads 1 --reference " +
           path_ + "/ref.h5" + sees;
  };
  const auto one = figures(run(of("pictures")));
  ASSERT_EQ(one.size(), 2u);
  for (const auto& [key, points] : one.items()) {
    EXPECT_GT(points[0]["fid"].get<double>(), 0) << key;
    EXPECT_TRUE(std::filesystem::exists(path_ + "/pictures/grids/" + key + "-seed-0.png"));
  }
  EXPECT_NE(one["edt"][0]["fid"], one["dit"][0]["fid"]);
  EXPECT_THAT(read_text(path_ + "/pictures/quality.html"),
              HasSubstr("FID of as many samples as were drawn"));
  EXPECT_EQ(figures(mpirun("-np 2 " + edt_program() + " " + of("two"))), one);
}

// Arms with companions: features of the data set, a teacher that is another run of the study.
TEST_F(QualityCli, TrainsWithCompanions) {
  ASSERT_EQ(run("data synth --quiet --hog on --samples 64 --image-size 64 --out " + path_ + "/hog")
                .status,
            0);
  const auto of = [&](const std::string& arms, const std::string& more) {
    return "bench quality --quiet --json --data " + path_ + "/hog --out " + path_ +
           "/beside --arms " + arms +
           " --seeds 0 --flops 4e9 --points 1 --batch 8 --micro-batch 4 --samples 16"
           " --sampler-steps 2 --draws 4 --pictures 4 --run.threads 1 " +
           more;
  };
  const std::string all = "edt,edt-latent,edt-repa,edt-sra,edt-prototypes";
  const auto found = figures(run(of(all, "--features hog")));
  ASSERT_EQ(found.size(), 5u);
  std::set<double> errors;
  for (const auto& [key, points] : found.items()) {
    errors.insert(points[0]["held_out_error"].get<double>());
    const std::string metrics = read_text(path_ + "/beside/runs/" + key + "-seed-0/metrics.jsonl");
    EXPECT_EQ(metrics.find("\"beside\"") == std::string::npos, key == "edt") << key;
  }
  EXPECT_EQ(errors.size(), 5u);
  EXPECT_THAT(read_text(path_ + "/beside/quality.html"), HasSubstr("What an addition gains here"));
  EXPECT_THAT(refusal(of(all, "--features other")),
              HasSubstr("the data set has no 'other' beside its latents"));
  EXPECT_THAT(refusal(of(all, "")),
              HasSubstr("--arms names edt-repa, and --features is not given"));
  EXPECT_THAT(refusal(of("edt,edt-sra", "--features hog")),
              HasSubstr("--features is given, and --arms names no arm that ends in -repa"));
  EXPECT_THAT(refusal(of("edt,edt-sra", "")), HasSubstr("has features [\"hog\"], now it is null"));

  const std::string teacher = path_ + "/beside/runs/edt-seed-0";
  const auto learnt =
      figures(run(of("edt-distilled", "--teacher " + teacher + " --out " + path_ + "/learnt")));
  ASSERT_EQ(learnt.size(), 1u);
  EXPECT_THAT(read_text(path_ + "/learnt/runs/edt-distilled-seed-0/metrics.jsonl"),
              HasSubstr("distill_output"));
  EXPECT_THAT(refusal(of("edt-flow-distilled", "--teacher " + teacher + " --out " + path_ + "/x")),
              HasSubstr("it is trained on"));
  EXPECT_THAT(refusal(of("edt-distilled", "--out " + path_ + "/x")),
              HasSubstr("--arms names edt-distilled, and --teacher is not given"));
}

// And those whose blocks are made of other parts.
TEST_F(QualityCli, TrainsOtherBlocks) {
  const auto found = figures(
      run("bench quality --quiet --json --data " + path_ + "/data --out " + path_ +
          "/blocks --arms edt,edt-affine,edt-linear,edt-spatial,edt-ternary --seeds 0 --flops 4e9"
          " --points 1 --batch 4 --micro-batch 4 --samples 16 --sampler-steps 2 --draws 4"
          " --pictures 4 --run.threads 1"));
  std::set<double> errors;
  for (const auto& [key, points] : found.items()) {
    errors.insert(points[0]["held_out_error"].get<double>());
  }
  EXPECT_EQ(errors.size(), 5u);
}

TEST_F(QualityCli, RefusesWhatIsNoStudy) {
  EXPECT_THAT(refusal(study("a") + "--seconds 3"),
              HasSubstr("--seconds 3 and --flops 10000000000 are both given"));
  EXPECT_THAT(refusal(study("a") + "--task 3"), HasSubstr("--task is 3, there are 3: 0 to 2"));
  EXPECT_THAT(refusal(study("a") + "--run off"), HasSubstr("there is no study in"));
  EXPECT_THAT(refusal(study("a") + "--inception x"), HasSubstr("go together"));
  ASSERT_EQ(run(study("a") + "--task 0").status, 0);
  EXPECT_THAT(refusal(study("a") + "--points 3"), HasSubstr("has points 2, now it is 3"));
  EXPECT_THAT(refusal(study("b") + "--holdout 0.000001"), HasSubstr("data.holdout"));
}

}  // namespace
}  // namespace edt::test
