// edt bench samplers and edt bench ffn-reuse on a tiny trained model.
#include <gmock/gmock-matchers.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/json/json_text.h"
#include "launcher/bench/sampler_comparison.h"
#include "launcher/commands/table.h"
#include "model/plan/gemms.h"
#include "parallel/comm/self/self_communicator.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_run.h"

namespace edt::test {
namespace {

using ::testing::HasSubstr;

class SamplersCommand : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory_ = new TempDir;
    write_tiny_data(*directory_ / "set");
    TrainConfig config = tiny_config(*directory_ / "set", *directory_ / "run");
    config.optimizer.rate.initial = 0.05;  // far enough from the zero output of a fresh model
    run(config);
  }
  static void TearDownTestSuite() { delete directory_; }

  using Bench = int (*)(std::span<const std::string>, CommandContext&);
  std::string output(Bench bench, std::vector<std::string> args) {
    args.insert(args.begin(), {(*directory_ / "run").string(), "--quiet", "on"});
    std::ostringstream out, error;
    const auto ranks = make_self_communicator();
    CommandContext context{out, error, *ranks};
    EXPECT_EQ(bench(args, context), kDone);
    return out.str();
  }
  nlohmann::json json(Bench bench, std::vector<std::string> args) {
    args.emplace_back("--json");
    return nlohmann::json::parse(output(bench, std::move(args)));
  }

  static inline TempDir* directory_ = nullptr;
};

const std::vector<std::string> kFew{
    "--images",         "4", "--reference-steps", "12", "--steps", "12,4", "--cached-steps", "12",
    "--cache-interval", "2", "--cache-order",     "1",  "--batch", "4"};

TEST_F(SamplersCommand, PutsEachWayBesideTheReference) {
  const auto all = json(bench_samplers, kFew);
  std::map<std::string, nlohmann::json> ways;
  double last = 0;
  for (const auto& way : all.at("ways")) {
    ways[fmt::format("{} {}", way.at("name").get<std::string>(), way.at("steps").get<int>())] = way;
    EXPECT_GE(way.at("gmac_per_picture").get<double>(), last) << "from the cheapest on";
    last = way.at("gmac_per_picture");
    EXPECT_GT(way.at("frechet").get<double>(), 0);
    EXPECT_GT(way.at("seconds_per_picture").get<double>(), 0);
  }
  EXPECT_THAT(all.at("ways").size(), 1 + 2 + 2 + 3);
  const auto of = [&](const char* way, const char* what) {
    return ways.at(way).at(what).get<double>();
  };
  EXPECT_EQ(of("ddim 12", "distance"), 0) << "the reference again";
  for (const char* way : {"ddim 4", "dpm++ 12", "fora 2 12", "taylor 2, order 1 12"}) {
    EXPECT_GT(of(way, "distance"), 0) << way;
  }
  EXPECT_NEAR(of("ddim 12", "gmac_per_picture"), 3 * of("ddim 4", "gmac_per_picture"), 1e-12);
  EXPECT_EQ(of("fora 2 12", "whole_steps"), 7);
  EXPECT_GT(of("fora 2 12", "gmac_per_picture"), 7. / 12 * of("ddim 12", "gmac_per_picture"));
  EXPECT_LT(of("fora 2 12", "gmac_per_picture"), of("ddim 12", "gmac_per_picture"));
  EXPECT_LT(of("taylor 2, order 1, lite 12", "cache_bytes"),
            of("taylor 2, order 1 12", "cache_bytes"));
  EXPECT_EQ(of("ddim 4", "cache_bytes"), 0);
  EXPECT_GT(all.at("frechet_of_data").get<double>(), 0);
}

TEST_F(SamplersCommand, WritesATable) {
  const std::string text = output(bench_samplers, kFew);
  for (const char* part :
       {"fora 2", "taylor 2, order 1, lite", "dpm++", "GMAC/picture", "kept aside"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST_F(SamplersCommand, MeasuresTheReuseOfHiddenUnits) {
  const std::vector<std::string> args{"--images",    "3",           "--batch",        "2",
                                      "--steps",     "6",           "--sparse-steps", "1",
                                      "--threshold", "-1,0.05,1000"};
  const auto all = json(bench_ffn_reuse, args).at("thresholds");
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].at("recomputed"), 1);
  EXPECT_EQ(all[0].at("mlp_macs_spared"), 0);
  EXPECT_LT(all[0].at("distance").get<double>(), 1e-4) << "two ops in the place of one";
  EXPECT_GT(all[1].at("recomputed").get<double>(), 0);
  EXPECT_LT(all[1].at("recomputed").get<double>(), 1);
  EXPECT_GT(all[1].at("tiles_with_recomputed").get<double>(),
            all[1].at("recomputed").get<double>());
  EXPECT_EQ(all[2].at("recomputed"), 0);
  EXPECT_NEAR(all[2].at("mlp_macs_spared").get<double>(), 0.5, 1e-12) << "3 of 6 steps";
  EXPECT_GT(all[2].at("distance").get<double>(), 0);
  EXPECT_GT(all[2].at("macs_spared").get<double>(), 0.1);
  EXPECT_LT(all[2].at("macs_spared").get<double>(), 0.5);
  EXPECT_EQ(all[2].at("blocks").size(), 6u);
  EXPECT_THAT(output(bench_ffn_reuse, args), HasSubstr("dense products spare nothing"));
}

TEST_F(SamplersCommand, RefusesWhatMakesNoComparison) {
  const auto refusal = [&](std::vector<std::string> args) {
    return message_of<Error>([&] { (void)output(bench_samplers, std::move(args)); });
  };
  EXPECT_THAT(refusal({"--cache-interval", "1"}), HasSubstr("cache-interval"));
  EXPECT_THAT(refusal({"--cache-order", "9"}), HasSubstr("cache-order"));
  EXPECT_THAT(refusal({"--steps", "0"}), HasSubstr("steps"));
}

TEST(SamplerComparison, DistancesAreOfWhatIsThere) {
  const std::vector<float> a{3, 0, 4}, b{3, 5, 4};
  EXPECT_DOUBLE_EQ(relative_distance(a, b), 5 / std::sqrt(50.));
  EXPECT_EQ(relative_distance(b, b), 0);
}

}  // namespace
}  // namespace edt::test
