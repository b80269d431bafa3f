// edt bench speedup: ratios by FLOPs, what is reported, and a run of tiny models.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/cpu/cpu_backend.h"
#include "core/json/json_text.h"
#include "launcher/bench/speedup_report.h"
#include "launcher/commands/table.h"
#include "launcher/memory/memory_check.h"
#include "model/plan/gemms.h"
#include "parallel/comm/self/self_communicator.h"
#include "tests/support/browser.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_run.h"

namespace edt::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Variant& named(const std::vector<Variant>& all, const std::string& key) {
  return *std::ranges::find(all, key, &Variant::key);
}

// The models' sizes in one where a test can run them.
std::vector<Variant> tiny_variants() {
  std::vector<Variant> all = published_variants("S", 128);
  for (Variant& variant : all) {
    variant.model.common().classes = 5;
    if (auto* edt = variant.model.as<EdtConfig>()) {
      edt->depths = {1, 1, 1, 1, 1};
      edt->widths = {16, 24, 32, 24, 16};
      edt->heads = {2, 2, 4, 2, 2};
      edt->amm_blocks = {2};
    } else if (auto* mdtv2 = variant.model.as<Mdtv2Config>()) {
      mdtv2->encoder_depth = 2;
      mdtv2->decoder_depth = 1;
      mdtv2->width = 16;
      mdtv2->heads = 2;
    } else {
      auto* dit = variant.model.as<DitConfig>();
      dit->depth = 2;
      dit->width = 16;
      dit->heads = 2;
    }
  }
  return all;
}

struct Expected {
  const char* size;
  double train, infer;
};

TEST(Speedup, FlopRatiosOfThePublishedModels) {
  for (const Expected& e : {Expected{"S", 2.36, 2.52}, {"B", 2.36, 2.52}, {"XL", 2.04, 2.42}}) {
    const auto all = published_variants(e.size, 256);
    const auto macs = [&](const char* key) { return mean_training_macs(named(all, key)); };
    EXPECT_NEAR(macs("MDTv2") / macs("EDT"), e.train, 0.006) << e.size;
    EXPECT_NEAR(macs("EDT") / macs("EDT_unmasked"), 2, 1e-12) << e.size;
    EXPECT_NEAR(macs("MDTv2_fixed") / macs("MDTv2"), 1, 0.01) << e.size;
    const auto forward = [&](const char* key) {
      return total_macs(forward_gemms(named(all, key).model, 1));
    };
    EXPECT_NEAR(forward("MDTv2") / forward("EDT"), e.infer, 0.006) << e.size;
  }
}

TEST(Speedup, TinyModelsInTurn) {
  const auto backend = make_cpu_backend();
  SpeedupOptions options;
  options.micro_batch = 2;
  options.rounds = 3;
  options.steps = 1;
  std::vector<std::string> lines;
  const SizeSpeedup result = run_speedup("tiny", tiny_variants(), options, *backend,
                                         [&](const std::string& line) { lines.push_back(line); });
  std::vector<std::string> trained, inferred;
  for (const SpeedupResult& r : result.train.results) trained.push_back(r.key);
  for (const SpeedupResult& r : result.infer.results) inferred.push_back(r.key);
  EXPECT_THAT(trained, ElementsAre("EDT", "EDT_unmasked", "EDT_shared_noise", "MDTv2",
                                   "MDTv2_fixed", "DiT"));
  EXPECT_THAT(inferred, ElementsAre("EDT", "MDTv2", "DiT"));
  ASSERT_EQ(lines.size(), 3u * (6 + 3));
  EXPECT_THAT(lines[0], HasSubstr("tiny training round 1 of 3: EDT "));
  EXPECT_THAT(lines[1], HasSubstr("EDT* (no masked pass)"));
  const auto gflop = [&](const char* key) { return result.train.find(key)->gflop_per_image; };
  EXPECT_NEAR(gflop("EDT"), 2 * gflop("EDT_unmasked"), 1e-12);
  EXPECT_LT(gflop("EDT_shared_noise"), gflop("EDT"));
  for (const SpeedupResult& r : result.train.results) {
    EXPECT_EQ(r.round_seconds.size(), 3u);
    EXPECT_GT(r.seconds, 0);
    EXPECT_LE(r.fastest, r.seconds);
    EXPECT_GE(r.slowest, r.seconds);
    EXPECT_GT(r.ceiling_share, 0);
    EXPECT_GT(r.memory_bytes, 0u);
  }
  const Variant first = tiny_variants()[0];
  const auto gemms = training_gemms({{first.model, engine_config(first, options)}});
  EXPECT_NEAR(gflop("EDT"), total_flops(gemms) / 2e9, 1e-12);
}

TEST(Speedup, StepsOfSeveralMicroBatchesWithOneOptimizerForAll) {
  const auto backend = make_cpu_backend();
  SpeedupOptions options;
  options.micro_batch = 2;
  options.accumulate = 4;
  options.optimizer = ContestOptimizer::kAdamW;
  options.rounds = options.steps = 1;
  options.inference = false;
  const auto variants = tiny_variants();
  const SizeSpeedup result =
      run_speedup("tiny", variants, options, *backend, [](const std::string&) {});
  const SpeedupResult& edt = *result.train.find("EDT");
  EXPECT_NEAR(edt.images_per_second * edt.seconds, 8, 1e-9);
  const auto gemms = training_gemms({{variants[0].model, engine_config(variants[0], options)}});
  EXPECT_NEAR(edt.gflop_per_image, total_flops(gemms) / 2e9, 1e-12);
  for (const Variant& c : variants) {
    EXPECT_TRUE(std::holds_alternative<AdamWConfig>(engine_config(c, options).optimizer)) << c.key;
    // Beforehand the machine is asked for what the turn took, with inputs and tables.
    const double asked = turn_bytes(c, options);
    const auto took = static_cast<double>(result.train.find(c.key)->memory_bytes);
    EXPECT_GT(asked, took) << c.key;
    EXPECT_LT(asked, 1.03 * took) << c.key;
  }
}

// Two rounds with a machine that became three times slower in between.
SizeSpeedup two_rounds() {
  SizeSpeedup size{.size = "S", .train = {}, .infer = {}};
  const auto add = [&](const char* key, std::vector<double> rounds, double gflop) {
    SpeedupResult r{.key = key, .label = key, .model = "m", .round_seconds = std::move(rounds)};
    r.seconds = r.fastest = r.slowest = r.round_seconds[0];
    r.gflop_per_image = gflop;
    size.train.results.push_back(r);
  };
  add("EDT", {1, 3}, 10);
  add("EDT_shared_noise", {0.8, 2.4}, 8);
  add("MDTv2", {2.3, 6.9}, 23.6);
  size.train.results.back().ceiling_share = 1.25;
  size.train_flop_ratio = 2.36;
  return size;
}

TEST(SpeedupReport, TakesRatiosWithinRounds) {
  const SizeSpeedup size = two_rounds();
  EXPECT_NEAR(size.train.over_mdtv2("EDT"), 2.3, 1e-12);
  EXPECT_THAT(findings(size),
              ElementsAre(AllOf(HasSubstr("EDT is 2.30 times as fast as MDTv2, 0.97 of the FLOP "
                                          "ratio 2.36 (reaches the goal of 0.95)"),
                                HasSubstr("The paper says 3.93, more than the work that is saved"),
                                HasSubstr("8.4 GMAC")),
                          AllOf(HasSubstr("0.80 of its time"), HasSubstr("2.88 times"))));
}

TEST(SpeedupReport, HasTheKeysThatScriptsRead) {
  const SpeedupReport report{.options = {},
                             .machine = "here",
                             .commands = "edt bench speedup",
                             .sizes = {two_rounds()},
                             .skipped = {"XL was not measured"}};
  const auto json = to_json(report);
  const auto& train = json.at("sizes").at("S").at("train");
  EXPECT_NEAR(train.at("EDT_over_MDTv2"), 2.3, 1e-12);
  EXPECT_NEAR(train.at("flop_ratio"), 2.36, 1e-12);
  EXPECT_NEAR(train.at("paper"), 3.93, 1e-12);
  EXPECT_NEAR(train.at("models").at("EDT").at("seconds"), 1, 1e-12);
  EXPECT_FALSE(json.at("sizes").at("S").contains("infer"));
  const std::string csv = to_csv(report), page = to_page(report).html();
  EXPECT_EQ(std::ranges::count(csv, '\n'), 4);
  EXPECT_THAT(csv, HasSubstr("S,train,EDT,m,"));
  EXPECT_THAT(csv, AllOf(HasSubstr(",3.93,0\n"), HasSubstr(",,,1\n")))
      << "a share above 1 has a mark";
  EXPECT_THAT(page, HasSubstr("<svg"));
  EXPECT_THAT(page, HasSubstr("XL was not measured"));
}

TEST(SpeedupCommand, WritesEveryFormat) {
  TempDir directory;
  std::ostringstream out, error;
  const auto alone = make_self_communicator();
  CommandContext context{out, error, *alone};
  const std::vector<std::string> args{"bench",         "speedup",
                                      "--sizes",       "S",
                                      "--image-size",  "64",
                                      "--micro-batch", "1",
                                      "--rounds",      "1",
                                      "--steps",       "1",
                                      "--threads",     "1",
                                      "--csv",         directory / "a.csv",
                                      "--html",        directory / "a.html",
                                      "--json"};
  ASSERT_EQ(run_program(args, command_table(), context), kDone) << error.str();
  const auto json = parse_json(out.str(), "output");
  EXPECT_GT(json["sizes"]["S"]["train"]["EDT_over_MDTv2"].get<double>(), 0);
  EXPECT_GT(json["sizes"]["S"]["infer"]["EDT_over_MDTv2"].get<double>(), 0);
  EXPECT_TRUE(json["sizes"]["S"]["train"]["paper"].is_null());  // it speaks of 256 pixels
  EXPECT_TRUE(std::filesystem::exists(directory / "a.csv"));
  if (!test::has_browser()) GTEST_SKIP() << "no browser is installed";
  test::expect_drawn(directory / "a.html", 3);
}

TEST(SpeedupCommand, TrainsFromShards) {
  TempDir directory;
  write_tiny_data(directory / "set");
  const auto backend = make_cpu_backend();
  SpeedupOptions options;
  options.micro_batch = 2;
  options.rounds = options.steps = 1;
  options.shards = directory / "set";
  options.inference = false;
  const SizeSpeedup result =
      run_speedup("tiny", tiny_variants(), options, *backend, [](const std::string&) {});
  EXPECT_EQ(result.train.results.size(), 6u);
  EXPECT_TRUE(result.infer.results.empty());
  SpeedupOptions wrong = options;
  wrong.shards = directory / "nowhere";
  EXPECT_THROW(run_speedup("tiny", tiny_variants(), wrong, *backend, [](const std::string&) {}),
               DataError);
}

}  // namespace
}  // namespace edt::test
