// edt evaluate of features that other networks gave.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "tests/data/import/npy_files.h"
#include "tests/golden/golden_file.h"
#include "tests/support/edt_program.h"
#include "tests/support/mpirun.h"
#include "tests/support/places.h"
#include "tests/support/text_files.h"

namespace edt::test {
namespace {

using data::test::write_npy;
using testing::AllOf;
using testing::HasSubstr;

class FeaturesCli : public Cli {
 protected:
  FeaturesCli() {
    for (const std::string side : {"a", "b"}) {
      const std::string name = "fid/full_rank/" + side + "_u8";
      auto values = golden_.read<float>(name);
      for (float& v : values) v = v / 64 - static_cast<float>(golden_.number("cmmd", "offset"));
      const auto shape = golden_.shape(name);
      write_npy(directory_ / (side + ".npy"), "<f4",
                {static_cast<std::uint64_t>(shape[0]), static_cast<std::uint64_t>(shape[1])},
                values);
    }
  }
  const GoldenFile golden_{in_sources("tests/golden/evaluation/fid_tables.h5")};
  const std::string judge_ = "evaluate " + path_ + "/b.npy";
  const std::string reference_ = " --reference " + path_ + "/a.npy";
};

TEST_F(FeaturesCli, AreJudgedByFrechetsDistanceAndCmmd) {
  const std::string command = judge_ + reference_ + " --kid-size 100 --kid-subsets 3";
  const Outcome alone = run(command + " --json");
  ASSERT_EQ(alone.status, 0) << run(command, "2>&1").output;
  const auto figures = parse_json(alone.output, "figures");
  EXPECT_NEAR(figures["cmmd"]["value"].get<double>(), golden_.number("cmmd", "value"), 1e-6);
  EXPECT_NEAR(figures["frechet"]["value"].get<double>(), golden_.number("fid/full_rank", "exact"),
              1e-4);
  EXPECT_EQ(figures["features"]["features"], 64);
  EXPECT_EQ(figures["samples"]["pictures"], 280);
  EXPECT_EQ(figures["reference"]["pictures"], 300);
  EXPECT_TRUE(figures.contains("precision") && figures.contains("mmd"));
  EXPECT_FALSE(figures.contains("fid") || figures.contains("kid"));
  EXPECT_THAT(run(command).output, AllOf(HasSubstr("Frechet distance"), HasSubstr("CMMD")));
  EXPECT_EQ(mpirun("-np 2 " + edt_program() + " " + command + " --json").output, alone.output);
  // Fewer than there are numbers to a row: said, as of pictures.
  EXPECT_THAT(run(command + " --count 60").output,
              HasSubstr("60 samples of 64 features: their covariance has no full rank"));
}

TEST_F(FeaturesCli, WhatDoesNotGoWithThemIsRefused) {
  EXPECT_THAT(refusal(judge_), HasSubstr("--reference is not given: features are judged against"));
  EXPECT_THAT(refusal(judge_ + reference_ + " --inception w"),
              HasSubstr("--inception is for pictures, and " + path_ + "/b.npy has features"));
  EXPECT_THAT(refusal(judge_ + reference_ + " --steps 5"),
              HasSubstr("--steps is for samples of a run, and " + path_ + "/b.npy has features"));
  const std::string adm = in_sources("tests/golden/evaluation/reference_adm.npz");
  EXPECT_THAT(refusal(judge_ + " --reference " + adm), HasSubstr("is no file of features, as"));
  EXPECT_THAT(refusal("evaluate " + adm + " --features-key mu --reference " + adm),
              HasSubstr("mu: is float32 [64], features are [pictures, width]"));
  EXPECT_THAT(refusal(judge_ + " " + adm + " --features-key mu" + reference_),
              HasSubstr("--features-key is for one file of features"));
  write_npy(directory_ / "narrow.npy", "<f4", {2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  EXPECT_THAT(refusal(judge_ + " --reference " + path_ + "/narrow.npy"),
              HasSubstr("narrow.npy has 3 features of each picture, " + path_ + "/b.npy has 64"));
}

}  // namespace
}  // namespace edt::test
