// The comparison itself: it must see what it is there to see.
#include "tests/core/ops/comparison.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/reference/reference_backend.h"

namespace edt {
namespace {

constexpr Tolerance kTolerance{1e-3, 1e-4};

TEST(Comparison, AcceptsRounding) {
  EXPECT_EQ(difference({{"y", {1.00005, 2, 3}}}, {{"y", {1, 2, 3}}}, kTolerance), "");
}

TEST(Comparison, NamesTheElement) {
  EXPECT_EQ(difference({{"y", {1, 2.5, 3}}}, {{"y", {1, 2, 3}}}, kTolerance),
            "y[1] is 2.5, expected 2 +- 0.0042\n");
}

TEST(Comparison, SeesNaN) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_NE(difference({{"y", {1, nan}}}, {{"y", {1, 2}}}, kTolerance), "");
}

TEST(Comparison, SeesASmallErrorEverywhere) {
  const std::vector<double> ones(1000, 1.0), off(1000, 1.0005);
  EXPECT_NE(difference({{"y", off}}, {{"y", ones}}, kTolerance), "");
}

TEST(Comparison, SeesMissingResults) {
  EXPECT_NE(difference({}, {{"y", {1}}}, kTolerance), "");
  EXPECT_NE(difference({{"y", {1}}}, {{"y", {1, 2}}}, kTolerance), "");
}

// float32 rounds where float64 does not, so the tolerance has room, but not for a wrong result.
TEST(Comparison, ReferenceInFloat32IsNearFloat64) {
  const auto backend = make_reference_backend();
  for (const OpCase& op_case : test_cases()) {
    if (op_case.float32_only) continue;
    const auto narrow = run_case(op_case, *backend, DType::kFloat32, 2);
    const auto wide = run_case(op_case, *backend, DType::kFloat64, 2);
    EXPECT_EQ(difference(narrow, wide, tolerance_of(DType::kFloat32, op_case)), "")
        << op_case.name();
  }
}

}  // namespace
}  // namespace edt
