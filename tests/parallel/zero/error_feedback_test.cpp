#include "parallel/zero/error_feedback.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/random/stream.h"
#include "core/reference/reference_backend.h"
#include "parallel/comm/wire.h"

namespace edt {
namespace {

using Values = std::vector<float>;

Values normal(std::size_t count, std::uint32_t seed) {
  Values values(count);
  random::fill_normal({.seed = seed}, values);
  return values;
}

// What was sent in all steps and what is kept is what was asked to be sent: so the sum of n steps
// is off by what one step is, not by n times or sqrt(n) times as much.
TEST(ErrorFeedback, LosesNothingOverSteps) {
  constexpr std::size_t kCount = 600;
  const auto device = make_reference_backend();
  for (const Wire wire : {Wire::kBFloat16Once, Wire::kInt8}) {
    ErrorFeedback feedback(*device, 1000, wire);
    std::vector<double> asked(kCount), sent(kCount), alone(kCount);
    for (std::uint32_t step = 0; step < 200; ++step) {
      const Values gradient = normal(kCount, step);
      Values values = gradient, rounded = gradient;
      feedback.apply(400, values);
      round_as(wire, rounded);
      for (std::size_t i = 0; i < kCount; ++i) {
        asked[i] += gradient[i];
        sent[i] += values[i];
        alone[i] += rounded[i];
      }
      Values again = values;
      round_as(wire, again);
      ASSERT_EQ(again, values) << "receivers would find something else";
    }
    double with = 0, without = 0;
    for (std::size_t i = 0; i < kCount; ++i) {
      with = std::max(with, std::abs(sent[i] - asked[i]));
      without = std::max(without, std::abs(alone[i] - asked[i]));
    }
    // One step's rounding of numbers up to 4 or 5: 1/256 of them in bf16, 1/254 in int8.
    EXPECT_LT(with, 0.03);
    EXPECT_GT(without, 2 * with);
  }
}

TEST(ErrorFeedback, ForgetsWhatIsNotFinite) {
  const auto device = make_reference_backend();
  ErrorFeedback feedback(*device, 2, Wire::kBFloat16Once);
  Values bad{std::numeric_limits<float>::infinity(), 1.001f};
  feedback.apply(0, bad);
  EXPECT_TRUE(std::isinf(bad[0]));
  Values next{1, 1};
  feedback.apply(0, next);
  EXPECT_EQ(next[0], 1);
}

}  // namespace
}  // namespace edt
