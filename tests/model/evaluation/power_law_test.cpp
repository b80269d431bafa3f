// How sure a power law is of itself.
#include "model/evaluation/power_law.h"

#include <gtest/gtest.h>

#include <vector>

namespace edt::test {
namespace {

struct Curve {
  std::vector<double> steps, losses;
};

// 0.5 + 2 s^-0.4, in turn a little above and below, at steps that are `scale` times as many.
Curve curve(int points, double scale) {
  Curve made;
  for (int i = 0; i < points; ++i) {
    const double step = 10 * std::pow(1.5, i);
    made.steps.push_back(scale * step);
    made.losses.push_back((0.5 + 2 * std::pow(step, -0.4)) * (i % 2 == 0 ? 1.01 : 0.99));
  }
  return made;
}

TEST(PowerLawFit, TakesFourPointsOrMore) {
  const Curve three = curve(3, 1), four = curve(4, 1);
  EXPECT_FALSE(fit_power_law(three.steps, three.losses));
  EXPECT_TRUE(fit_power_law(four.steps, four.losses));
}

// Three numbers are fitted: they take three of the points.
TEST(PowerLawFit, DeviationIsThatOfWhatIsLeft) {
  const Curve some = curve(12, 1);
  const PowerLawFit fit = fit_power_law(some.steps, some.losses).value();
  EXPECT_DOUBLE_EQ(fit.deviation, std::sqrt(fit.objective / (12 - 3)));
  EXPECT_NEAR(fit.deviation, 0.01, 0.003);
}

// In which unit steps are counted makes no difference; away from what was seen it knows less.
TEST(PowerLawFit, ErrorFollowsFromTheCurveAlone) {
  const Curve some = curve(16, 1), more = curve(16, 1000);
  const PowerLawFit a = fit_power_law(some.steps, some.losses).value(),
                    b = fit_power_law(more.steps, more.losses).value();
  for (const double step : {20.0, 300.0, 4e4}) {
    EXPECT_NEAR(b.error_at(1000 * step) / a.error_at(step), 1, 1e-4) << step;
  }
  const double inside = a.error_at(300), outside = a.error_at(1e6);
  EXPECT_GT(inside, 0);
  EXPECT_LT(inside, a.deviation);
  EXPECT_GT(outside, 2 * inside);
}

}  // namespace
}  // namespace edt::test
