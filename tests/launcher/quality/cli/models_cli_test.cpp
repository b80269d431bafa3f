// edt bench models as people call it, on runs of some steps.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "tests/support/edt_program.h"
#include "tests/support/mpirun.h"

namespace edt::test {
namespace {

using testing::HasSubstr;

class ModelsCli : public CliRun {
 protected:
  std::string models(const std::string& more) const {
    return "bench models --quiet --json --data " + data_ +
           " --samples 16 --sampler-steps 6 --draws 2 --threads 1 " + more;
  }
  // What does not depend on the machine, by model and form.
  static nlohmann::json figures(const Outcome& outcome) {
    EXPECT_EQ(outcome.status, 0) << outcome.errors;
    nlohmann::json all;
    const nlohmann::json parsed = parse_json(outcome.output, "models");
    for (nlohmann::json model : parsed["models"]) {
      EXPECT_GT(model["samples_per_s"]["median"], 0.);
      model.erase("samples_per_s");
      model.erase("training_images_per_s");
      all[model["name"].get<std::string>()][model["form"].get<std::string>()] = model;
    }
    return all;
  }
};

TEST_F(ModelsCli, JudgesEachModelInEachForm) {
  const std::string ternary = path_ + "/ternary-seed-0";
  ASSERT_EQ(run("train --quiet " + tiny_training(data_, ternary) +
                " --model.weights ternary --data.holdout 0.2 --steps 6 --optimizer.ema-decay 0" +
                " --optimizer.lr 1e-2")
                .status,
            0);
  std::filesystem::copy(ternary, path_ + "/ternary-seed-1",
                        std::filesystem::copy_options::recursive);
  const std::string all = models(
      run_ + " " + ternary + " " + ternary.substr(0, ternary.size() - 1) +
      "1 --forms plain,int8,cached --int8-anywhere on --cache taylor" + " --cache-interval 2");
  const nlohmann::json one = figures(run(all));
  ASSERT_EQ(one.size(), 2u);
  const auto& dense = one["run"]["plain"];
  const auto& small = one["ternary"];
  EXPECT_EQ(dense["runs"], 1);
  EXPECT_EQ(small["plain"]["runs"], 2);
  EXPECT_EQ(dense["weight_bytes"], 4 * dense["parameters"].get<std::int64_t>());
  EXPECT_LT(small["plain"]["weight_bytes"], dense["weight_bytes"]);
  EXPECT_LT(one["run"]["int8"]["weight_bytes"], dense["weight_bytes"]);
  EXPECT_TRUE(dense["held_out_error"].is_null());  // it has seen all samples
  const auto& cached = small["taylor 2, order 1"];
  EXPECT_LT(cached["gmac_per_sample"], small["plain"]["gmac_per_sample"]);
  EXPECT_EQ(cached["held_out_error"], small["plain"]["held_out_error"]);
  EXPECT_NE(cached["latent_distance"], small["plain"]["latent_distance"]);
  EXPECT_NE(small["int8"]["held_out_error"], small["plain"]["held_out_error"]);
  EXPECT_EQ(small["plain"]["latent_distance"]["least"], small["plain"]["latent_distance"]["most"]);
  EXPECT_EQ(figures(mpirun("-np 2 " + edt_program() + " " + all)), one);

  const Outcome text = run("bench models --quiet --data " + data_ +
                           " --samples 16 --sampler-steps 2 --draws 2 " + run_);
  EXPECT_THAT(text.output, HasSubstr("distance of latents"));
}

TEST_F(ModelsCli, RefusesInOneLine) {
  EXPECT_THAT(refusal(models(run_ + " " + run_ + "/")), HasSubstr("is given twice"));
  EXPECT_THAT(refusal(models(run_ + " --forms plain,plain")), HasSubstr("names plain twice"));
  EXPECT_THAT(refusal(models(run_ + " --forms cached")), HasSubstr("--cache is none"));
  EXPECT_THAT(refusal(models(run_ + " --cache fora")), HasSubstr("none with a cache"));
  EXPECT_THAT(refusal(models(path_ + "/nowhere")), HasSubstr(path_ + "/nowhere"));
  EXPECT_THAT(refusal(models(run_ + " --forms int8 --device reference --int8-anywhere on")),
              HasSubstr("--forms has int8"));
  ASSERT_EQ(run("train --quiet " + tiny_training(data_, path_ + "/normal") +
                " --data.normalize on --steps 3")
                .status,
            0);
  EXPECT_THAT(refusal(models(run_ + " " + path_ + "/normal")), HasSubstr("see other latents"));
  ASSERT_EQ(run("train --quiet " + tiny_training(data_, path_ + "/gates") +
                " --train.masked off --dynamic.target 0.5 --steps 1")
                .status,
            0);
  EXPECT_THAT(refusal(models(path_ + "/gates --forms plain,int8 --int8-anywhere on")),
              HasSubstr("--forms has int8, and " + path_ + "/gates has gates"));
}

}  // namespace
}  // namespace edt::test
