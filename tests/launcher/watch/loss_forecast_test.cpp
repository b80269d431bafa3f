#include "launcher/watch/loss_forecast.h"

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include "core/random/stream.h"
#include "tests/launcher/watch/written_run.h"
#include "tests/support/temp_dir.h"

namespace edt::test {
namespace {

using testing::HasSubstr;

class Forecast : public testing::Test {
 protected:
  // A run whose loss is a law of the step times 1 + noise.
  template <class Law>
  LossForecast at(std::int64_t step, std::int64_t steps, const Law& law, double noise = 0.02,
                  const std::string& lr = "0.001") {
    std::vector<float> draws(static_cast<std::size_t>(steps));
    random::fill_normal({.seed = 5, .purpose = random::Purpose::kBenchmark}, draws);
    std::string text;
    for (std::int64_t i = 1; i <= steps; ++i) {
      const double loss = law(static_cast<double>(i)) *
                          (1 + noise * double{draws[static_cast<std::size_t>(i - 1)]});
      text += fmt::format("{{\"step\":{},\"loss\":{},\"lr\":{}}}\n", i, loss,
                          lr == "falling" ? 0.001 / static_cast<double>(i) : std::stod(lr));
    }
    write_text(directory_ / "metrics.jsonl", text);
    MetricsHistory metrics(directory_ / "metrics.jsonl");
    metrics.refresh();
    return forecast_loss(metrics, step);
  }

  const TempDir directory_;
};

double law(double step) { return 0.14 + 1.1 * std::pow(step, -0.4); }

TEST_F(Forecast, TellsWhereAPowerLawGoesAndHowSurelyItKnows) {
  const LossForecast sound = at(20000, 4000, law);
  ASSERT_EQ(sound.refusal, "");
  const double truth = law(20000);
  EXPECT_LT(sound.low, truth);
  EXPECT_GT(sound.high, truth);
  EXPECT_NEAR(sound.loss, truth, 0.02 * truth);
  EXPECT_LT(sound.high - sound.low, 0.1 * truth);
  EXPECT_LT(sound.backtest.value(), 0.02);
  EXPECT_THAT(forecast_text(sound), HasSubstr(" at step 20,000 ("));
  // More noise, and farther ahead: less is known.
  const auto width = [](const LossForecast& f) { return f.high - f.low; };
  EXPECT_GT(width(at(20000, 4000, law, 0.1)), width(sound));
  EXPECT_GT(width(at(40000, 4000, law)), width(sound));
}

TEST_F(Forecast, IsRefusedWithTheReason) {
  EXPECT_THAT(at(200, 20, law).refusal, HasSubstr("too few steps: "));
  EXPECT_THAT(at(8000, 4000, law, 0.02, "falling").refusal,
              HasSubstr("the learning rate moves between "));
  EXPECT_THAT(at(8000, 4000, [](double) { return 0.3; }).refusal,
              HasSubstr("the loss is not descending"));
  EXPECT_THAT(at(50000, 4000, law).refusal,
              HasSubstr("step 50,000 is more than 10 times as far as the 4,000"));
  // A curve that falls off a cliff late: nothing before it knew.
  EXPECT_THAT(at(8000, 4000, [](double s) { return s < 2500 ? law(s) : 0.6 * law(s); }).refusal,
              testing::AnyOf(HasSubstr("off"), HasSubstr("no power law"), HasSubstr("any limit"),
                             HasSubstr("apart")));
  MetricsHistory none(directory_ / "none.jsonl");
  EXPECT_EQ(forecast_loss(none, 100).refusal, "no step is recorded yet");
}

// A linear warm-up is passed over, as the rate is constant afterwards.
TEST_F(Forecast, BeginsBehindTheWarmUp) {
  std::string text;
  for (std::int64_t i = 1; i <= 2000; ++i) {
    const double step = static_cast<double>(i);
    text += fmt::format("{{\"step\":{},\"loss\":{},\"lr\":{}}}\n", i, law(step),
                        0.001 * std::min(step / 200, 1.0));
  }
  write_text(directory_ / "metrics.jsonl", text);
  MetricsHistory metrics(directory_ / "metrics.jsonl");
  metrics.refresh();
  const LossForecast sound = forecast_loss(metrics, 4000);
  ASSERT_EQ(sound.refusal, "");
  EXPECT_NEAR(sound.law.limit, 0.14, 1e-3);
  EXPECT_NEAR(sound.law.power, 0.4, 1e-2);
}

}  // namespace
}  // namespace edt::test
