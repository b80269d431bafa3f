// Distances between sets of features against values computed in float64 with the published
// evaluators (pytorch-fid, ADM's, torch-fidelity, prdc, CMMD) and, where these lose digits, without
// products of covariances.
#include <gtest/gtest.h>

#include <cmath>

#include "model/evaluation/frechet.h"
#include "model/evaluation/inception_score.h"
#include "model/evaluation/kernel_distance.h"
#include "model/evaluation/moments.h"
#include "model/evaluation/neighbours.h"
#include "tests/golden/golden_file.h"

namespace edt::test {
namespace {

namespace fs = std::filesystem;

// Float64 in another order of sums: 1e-16 for each of some thousand additions.
constexpr double kRounding = 1e-11;

fs::path tables_file() {
  const fs::path inner = golden_dir() / "evaluation" / "fid_tables.h5";
  return fs::exists(inner) ? inner : golden_dir() / "fid_tables.h5";
}

struct Table {
  std::vector<float> values;
  std::int64_t width = 0;
  Features features() const { return {values, width}; }
};

// (bytes - offset) / divisor
Table table_of(const GoldenFile& golden, const std::string& name, float offset = 0,
               float divisor = 64) {
  Table table{golden.read<float>(name), golden.shape(name)[1]};
  for (float& v : table.values) v = (v - offset) / divisor;
  return table;
}

FeatureStatistics statistics_of(const Features& rows) {
  FeatureMoments moments(rows.width);
  moments.add(rows);
  return moments.statistics();
}

void expect_near(const std::vector<double>& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  double largest = 0;
  for (const double v : expected) largest = std::max(largest, std::abs(v));
  for (std::size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], kRounding * std::max(1.0, largest)) << "element " << i;
  }
}

std::vector<std::string> cases(const std::string& group) {
  return GoldenFile(tables_file()).names(group);
}

class Frechet : public testing::TestWithParam<std::string> {};

TEST_P(Frechet, IsTheExactOne) {
  const GoldenFile golden(tables_file());
  const std::string at = "fid/" + GetParam();
  const FeatureStatistics a = statistics_of(table_of(golden, at + "/a_u8").features());
  const FeatureStatistics b = statistics_of(table_of(golden, at + "/b_u8").features());
  if (golden.has(at + "/mu_a")) {
    expect_near(a.mean, golden.read<double>(at + "/mu_a"));
    expect_near(b.mean, golden.read<double>(at + "/mu_b"));
    expect_near(a.covariance, golden.read<double>(at + "/sigma_a"));
    expect_near(b.covariance, golden.read<double>(at + "/sigma_b"));
  }
  const FrechetDistance distance = FrechetReference(a).distance_to(b);
  const auto expect = [&](double actual, const std::string& name) {
    const double expected = golden.number(at, name);
    // Roots of eigenvalues keep half of the digits near zero; the traces are of order 1 to 300.
    EXPECT_NEAR(actual, expected, 1e-9 * std::max(1.0, std::abs(expected))) << name;
  };
  expect(distance.mean_term, "mean_term");
  expect(distance.trace_a, "trace_a");
  expect(distance.trace_b, "trace_b");
  expect(distance.trace_root, "trace_root");
  expect(distance.value(), "exact");
  // Which side is the reference makes no difference; said by the quick cases.
  if (a.width() > 1000) return;
  EXPECT_NEAR(FrechetReference(b).distance_to(a).value(), distance.value(), 1e-8);
}

INSTANTIATE_TEST_SUITE_P(Golden, Frechet, testing::ValuesIn(cases("fid")),
                         [](const auto& each) { return each.param; });

TEST(Moments, PartsMakeTheWhole) {
  const GoldenFile golden(tables_file());
  const Table table = table_of(golden, "fid/full_rank/a_u8");
  const Features all = table.features();
  const auto first = static_cast<std::int64_t>(golden.number("parts/0", "count"));
  FeatureMoments head(all.width), tail(all.width);
  head.add(all.rows(0, first));
  tail.add(all.rows(first, all.count()));
  expect_near(head.statistics().mean, golden.read<double>("parts/0/mu"));
  expect_near(head.statistics().covariance, golden.read<double>("parts/0/sigma"));
  expect_near(tail.statistics().covariance, golden.read<double>("parts/1/sigma"));
  head.merge(tail);
  EXPECT_EQ(head.count(), all.count());
  expect_near(head.statistics().mean, golden.read<double>("parts/whole_mu"));
  expect_near(head.statistics().covariance, golden.read<double>("parts/whole_sigma"));
}

TEST(InceptionScore, OfPartsInOrder) {
  const GoldenFile golden(tables_file());
  const Table table = table_of(golden, "inception_score/logits_u8", 128, 16);
  for (const std::int64_t size : {5000, 500, 120}) {
    const std::string name = "adm_split_" + std::to_string(size);
    const InceptionScore score = inception_score(table.features(), size);
    EXPECT_NEAR(score.mean, golden.number("inception_score", name), kRounding) << name;
    if (golden.has("inception_score/" + name + "_parts")) {
      expect_near(score.parts, golden.read<double>("inception_score/" + name + "_parts"));
    }
  }
  const InceptionScore tenths = inception_score(table.features(), 120);
  EXPECT_NEAR(tenths.deviation, golden.number("inception_score", "torch_fidelity_10_in_order_std"),
              kRounding);
}

Table chosen(const Table& table, const std::vector<std::int64_t>& indices, std::size_t from,
             std::size_t count) {
  Table rows{{}, table.width};
  for (std::size_t i = from; i < from + count; ++i) {
    const auto row = table.features().row(indices[i]);
    rows.values.insert(rows.values.end(), row.begin(), row.end());
  }
  return rows;
}

TEST(KernelInceptionDistance, OfEachSubset) {
  const GoldenFile golden(tables_file());
  const Table a = table_of(golden, "fid/full_rank/a_u8"),
              b = table_of(golden, "fid/full_rank/b_u8");
  const auto in_a = golden.read<std::int64_t>("kid/indices_a");
  const auto in_b = golden.read<std::int64_t>("kid/indices_b");
  const auto expected = golden.read<double>("kid/subset_values");
  const std::size_t size = in_a.size() / expected.size();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const Table left = chosen(a, in_a, i * size, size), right = chosen(b, in_b, i * size, size);
    EXPECT_NEAR(cubic_discrepancy(left.features(), right.features()), expected[i], kRounding);
  }
  const auto rows = static_cast<std::int64_t>(golden.number("kid", "unbiased_rows"));
  EXPECT_NEAR(cubic_discrepancy(a.features().rows(0, rows), b.features().rows(0, rows)),
              golden.number("kid", "unbiased_first_rows"), kRounding);
}

TEST(KernelInceptionDistance, OfSubsetsOfTheWholeIsTheWhole) {
  const GoldenFile golden(tables_file());
  const Table a = table_of(golden, "fid/full_rank/a_u8"),
              b = table_of(golden, "fid/full_rank/b_u8");
  const Features rows = a.features().rows(0, b.features().count());
  const double whole = cubic_discrepancy(rows, b.features());
  const auto distance = kernel_inception_distance(rows, b.features(), 3, rows.count(), 7);
  EXPECT_NEAR(distance.mean, whole, kRounding);
  EXPECT_NEAR(distance.deviation, 0, kRounding);
  const auto drawn = kernel_inception_distance(rows, b.features(), 40, 100, 7);
  EXPECT_GT(drawn.deviation, 0);
  EXPECT_NEAR(drawn.mean, whole, 3 * drawn.deviation / std::sqrt(40.0));
  EXPECT_EQ(kernel_inception_distance(rows, b.features(), 40, 100, 7).mean, drawn.mean);
  EXPECT_NE(kernel_inception_distance(rows, b.features(), 40, 100, 8).mean, drawn.mean);
}

TEST(GaussianDiscrepancy, IsThatOfCmmd) {
  const GoldenFile golden(tables_file());
  const auto offset = static_cast<float>(golden.number("cmmd", "offset"));
  Table a = table_of(golden, "fid/full_rank/a_u8"), b = table_of(golden, "fid/full_rank/b_u8");
  for (float& v : a.values) v -= offset;
  for (float& v : b.values) v -= offset;
  // The offset is taken in float32 here and in float64 there.
  EXPECT_NEAR(gaussian_discrepancy(a.features(), b.features(), golden.number("cmmd", "sigma")),
              golden.number("cmmd", "value"), 1e-6);
}

class Neighbours : public testing::TestWithParam<std::string> {
 protected:
  const GoldenFile golden_{tables_file()};
  const std::string at_ = "precision_recall/" + GetParam();
  Table table(const std::string& stored, const std::string& otherwise) const {
    return table_of(golden_, golden_.has(at_ + stored) ? at_ + stored : otherwise);
  }
  const Table reference_ = table("/reference_u8", "fid/full_rank/a_u8");
  const Table samples_ = table("/sample_u8", "fid/full_rank/b_u8");
};

TEST_P(Neighbours, AreThosePublished) {
  const Features reference = reference_.features(), samples = samples_.features();
  expect_near(squared_radii(reference, 3), golden_.read<double>(at_ + "/squared_radii_reference"));
  expect_near(squared_radii(samples, 3), golden_.read<double>(at_ + "/squared_radii_sample"));
  const PrecisionRecall shares = precision_recall(reference, samples, 3);
  EXPECT_EQ(shares.precision, golden_.number(at_, "precision"));
  EXPECT_EQ(shares.recall, golden_.number(at_, "recall"));
  const DensityCoverage inside = density_coverage(reference, samples, 5);
  EXPECT_NEAR(inside.density, golden_.number(at_, "prdc5_density"), kRounding);
  EXPECT_NEAR(inside.coverage, golden_.number(at_, "prdc5_coverage"), kRounding);
}

INSTANTIATE_TEST_SUITE_P(Golden, Neighbours, testing::ValuesIn(cases("precision_recall")),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace edt::test
