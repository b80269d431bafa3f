// Power laws of loss curves against optima found to machine precision.
#include "model/evaluation/power_law.h"

#include <gtest/gtest.h>

#include "tests/golden/golden_file.h"

namespace edt::test {
namespace {

TEST(PowerLaw, FindsThePublishedOptima) {
  int curves = 0;
  for (const std::string& file : golden_models("curve_fit", "evaluation")) {
    const GoldenFile golden(file);
    for (const std::string& name : golden.names("/")) {
      if (!name.starts_with("curve")) continue;
      const std::string curve = name + "/";
      const auto optimum = golden.read<double>(curve + "optimum"),
                 at = golden.read<double>(curve + "forecast_steps"),
                 forecast = golden.read<double>(curve + "forecast");
      const double objective = golden.read<double>(curve + "objective")[0];
      const auto fit =
          fit_power_law(golden.read<double>(curve + "steps"), golden.read<double>(curve + "loss"));
      ASSERT_TRUE(fit) << file << " " << name;
      // Without noise the optimum is sharp; with it, the valley is flat to the root of rounding.
      const double near = objective < 1e-20 ? 1e-9 : 1e-6;
      EXPECT_NEAR(fit->law.limit / optimum[0], 1, near) << file << " " << name;
      EXPECT_NEAR(fit->law.scale / optimum[1], 1, near) << file << " " << name;
      EXPECT_NEAR(fit->law.power / optimum[2], 1, near) << file << " " << name;
      EXPECT_NEAR(fit->objective, objective, 1e-12) << file << " " << name;
      for (std::size_t i = 0; i < at.size(); ++i) {
        EXPECT_NEAR(fit->law(at[i]) / forecast[i], 1, near) << file << " " << name;
      }
      ++curves;
    }
  }
  EXPECT_GT(curves, 0);
}

}  // namespace
}  // namespace edt::test
