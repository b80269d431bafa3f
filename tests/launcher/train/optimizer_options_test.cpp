#include "launcher/recipe/optimizer_options.h"

#include <gtest/gtest.h>

namespace edt {
namespace {

// A recipe's average is for a recipe's number of steps.
TEST(OptimizerOptions, AnAverageThatIsMostlyTheBeginningIsSaid) {
  OptimizerOptions options;
  EXPECT_EQ(options.remark_on_average(400000), "");
  EXPECT_EQ(options.remark_on_average(5000),
            "after 5000 steps 61 % of the moving average, which samples are drawn from, will still "
            "be the weights that the run begins with (optimizer.ema-decay 0.9999; 0.999 leaves "
            "0.7 %)");
  EXPECT_TRUE(options.remark_on_average(4).ends_with("(optimizer.ema-decay 0.9999)"));
  options.ema_decay = 0.999;
  EXPECT_EQ(options.remark_on_average(5000), "");
  options.ema_decay = 0;  // no average
  EXPECT_EQ(options.remark_on_average(4), "");
}

}  // namespace
}  // namespace edt
