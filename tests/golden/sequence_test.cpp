// MDTv2 of sequences: the published blocks on a window of one row, each frame a token that is read
// beside a condition of its own. Tolerances as in models_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "model/positions.h"
#include "tests/golden/golden_cases.h"
#include "tests/golden/golden_run.h"

namespace edt::test {
namespace {

class SequenceGolden : public GoldenTest {
 protected:
  void begin() override { run_.emplace(file_, *backend_, GetParam().dtype); }
  void expect_pass(const GoldenPass& pass, const std::string& expected) {
    expect_close(pass.mse, expected + "/mse", GetParam().output_tolerance);
    const auto vb = file_.read<float>(expected + "/vb");
    ASSERT_EQ(pass.vb.size(), vb.size());
    for (std::size_t i = 0; i < vb.size(); ++i) {
      EXPECT_NEAR(pass.vb[i] / vb[i], 1, vb_tolerance(run_->times()[i])) << expected << ", " << i;
    }
  }

  // At t = 0 it is the logarithm of a difference of two probabilities, far out for numbers beyond
  // -1 and 1: float32, in which the file's were computed, leaves four digits of it. Ours in float32
  // and in float64 are alike to six.
  double vb_tolerance(double t) const {
    return std::max(GetParam().output_tolerance, t == 0 ? 2e-4 : 0);
  }
  double total_tolerance() const { return std::max(GetParam().output_tolerance, 5e-5); }

  std::optional<GoldenRun> run_;
};

TEST_P(SequenceGolden, LossesAndAllGradients) {
  const GoldenStep step = run_->step();
  expect_close(step.x_t, "/expected/x_t", 1e-5);
  expect_pass(step.full, "/expected/full");
  ASSERT_TRUE(step.masked.has_value());
  expect_pass(*step.masked, "/expected/masked");
  EXPECT_NEAR(step.loss / file_.read<double>("/expected/total_loss")[0], 1, total_tolerance());
  const auto& parameters = run_->golden().model().parameters().all();
  for (const Parameter& parameter : parameters) {
    expect_close(run_->golden().host(parameter.grad), "/grads/" + parameter.name,
                 GetParam().gradient_tolerance);
  }
  EXPECT_EQ(parameters.size(), file_.names("/grads").size());
}

TEST_P(SequenceGolden, Outputs) {
  expect_close(run_->output(), "/expected/output_train", GetParam().output_tolerance);
}

// Distances count along the sequence alone.
TEST(SequenceTables, HaveARowForEachDistance) {
  for (const std::string& name : golden_models("mdt_sequence")) {
    const GoldenFile file(name);
    const TokenGrid grid = golden_config(file).common().patches();
    const auto index = file.read<std::int64_t>("/expected/relative_position_index");
    EXPECT_EQ(grid.rows, 1);
    for (std::int64_t i = 0; i < grid.columns; ++i) {
      for (std::int64_t j = 0; j < grid.columns; ++j) {
        EXPECT_EQ(index[static_cast<std::size_t>(i * grid.columns + j)], i - j + grid.columns - 1);
      }
    }
    const auto table =
        file.shape("/params/en_inblocks.0.attn.rel_pos_bias.relative_position_bias_table");
    EXPECT_EQ(table[0], grid.distances() + 3);
  }
}

// All of the width tells the place, and all pairs turn by it; of a grid half of them the row.
TEST(SequenceTables, TellThePlaceAlone) {
  constexpr std::int64_t kWidth = 8, kFrames = 5, kHalf = kWidth / 2;
  const TokenGrid grid{1, kFrames};
  const std::vector<float> table = sincos_positions(kWidth, grid, PositionForm::kSequence);
  const std::vector<float> turns = rotary_positions(kWidth, grid, PositionForm::kSequence);
  ASSERT_EQ(table.size(), static_cast<std::size_t>(kWidth * kFrames));
  ASSERT_EQ(turns.size(), table.size());
  for (std::int64_t i = 0; i < kFrames; ++i) {
    for (std::int64_t k = 0; k < kHalf; ++k) {
      const double angle = static_cast<double>(i) * std::pow(10000.0, -static_cast<double>(k) / 4);
      const auto at = static_cast<std::size_t>(i * kWidth);
      const auto pair = static_cast<std::size_t>(k);
      EXPECT_FLOAT_EQ(table[at + pair], static_cast<float>(std::sin(angle)));
      EXPECT_FLOAT_EQ(table[at + kHalf + pair], static_cast<float>(std::cos(angle)));
      EXPECT_FLOAT_EQ(turns[at + 2 * pair], static_cast<float>(std::cos(angle)));
      EXPECT_FLOAT_EQ(turns[at + 2 * pair + 1], static_cast<float>(std::sin(angle)));
    }
  }
  const std::vector<float> of_grid = sincos_positions(kWidth, grid);
  EXPECT_EQ(of_grid[kWidth + kHalf], 0) << "the row is 0";
}

// As models_test.cpp has them for MDTv2, whose gradient of pos_embed is where those of all blocks
// meet; and bf16.
std::vector<GoldenCase> sequence_cases() {
  std::vector<GoldenCase> all;
  for (const std::string& file : golden_models("mdt_sequence")) {
    all.push_back({file, "", "reference", DType::kFloat64, 1e-5, 1.5e-4});
    all.push_back({file, "", "reference", DType::kFloat32, 1e-5, 1.5e-4});
    all.push_back({file, "", "cpu", DType::kFloat32, 1e-5, 1.5e-4});
    all.push_back({file, "", "cpu", DType::kBFloat16, 3e-2, 1e-1});
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Models, SequenceGolden, testing::ValuesIn(sequence_cases()));

std::vector<GoldenCase> sequence_cases_on_gpu() {
  std::vector<GoldenCase> all;
  for (const std::string& file : golden_models("mdt_sequence")) {
    all.push_back({file, "", "cuda", DType::kFloat32, 1e-4, 3e-4});
    all.push_back({file, "", "cuda", DType::kBFloat16, 3e-2, 1e-1});
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Cuda, SequenceGolden, testing::ValuesIn(sequence_cases_on_gpu()));

}  // namespace
}  // namespace edt::test
