// Presets against the published code: parameter counts, multiply-accumulates, names, tables.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <set>

#include "core/reference/reference_backend.h"
#include "model/edt/edt_model.h"
#include "model/edt/tables.h"
#include "model/families/presets.h"
#include "model/plan/gemms.h"
#include "model/positions.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/golden_model.h"

namespace edt::test {
namespace {

class Preset : public testing::TestWithParam<const char*> {};

std::string shape_text(const Shape& shape) {  // as Python prints a tuple
  std::string text = "(";
  for (int i = 0; i < shape.rank(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.rank() == 1 ? ",)" : ")");
}

TEST_P(Preset, MatchesPublishedCode) {
  const GoldenFile tables("tables.h5");
  const std::string name = GetParam();
  const auto backend = make_reference_backend();
  const EdtModel model(edt_preset(name), *backend, DType::kFloat32);
  EXPECT_EQ(model.parameters().elements(), tables.number("/", "params " + name));
  EXPECT_EQ(total_macs(forward_gemms(model.config(), 1)), tables.number("/", "macs " + name));
  const auto amm = tables.numbers("/", "amm_blocks " + name);
  EXPECT_EQ(model.config().amm_blocks, std::vector<std::int64_t>(amm.begin(), amm.end()));

  std::string group = name;
  group[group.find('/')] = '-';
  std::set<std::string> expected, actual;
  for (const std::string& line : tables.strings("/names/" + group)) expected.insert(line);
  for (const Parameter& parameter : model.parameters().all()) {
    actual.insert(parameter.name + " " + shape_text(parameter.shape));
  }
  for (const FixedTable& table : model.fixed_tables()) {
    actual.insert(table.name + " " + shape_text(table.shape));
  }
  EXPECT_EQ(actual, expected);
}
INSTANTIATE_TEST_SUITE_P(Published, Preset, testing::Values("EDT-S/2", "EDT-B/2", "EDT-XL/2"));

struct Baseline {
  const char* name;
  std::int64_t parameters;
  double gmacs;  // of a forward pass, to the digits that are known
};

// Computed with the published constructors.
TEST(Baselines, HaveThePublishedParametersAndProducts) {
  const auto backend = make_reference_backend();
  for (const Baseline& b : {Baseline{"MDTv2-S/2", 38'454'872, 6.74},
                            {"MDTv2-B/2", 152'112'272, 25.72},
                            {"MDTv2-XL/2", 742'263'904, 129.49},
                            {"DiT-S/2", 32'865'056, 6.06},
                            {"DiT-B/2", 130'315'808, 23.01},
                            {"DiT-XL/2", 674'834'720, 118.62},
                            {"SiT-S/2", 32'858'896, 6.05},
                            {"SiT-B/2", 130'303'504, 23.00},
                            {"SiT-L/2", 457'824'272, 80.69},
                            {"SiT-XL/2", 674'816'272, 118.62}}) {
    const ModelConfig config = model_preset(b.name);
    const auto model = make_model(config, *backend, DType::kFloat32);
    EXPECT_EQ(model->parameters().elements(), b.parameters) << b.name;
    EXPECT_NEAR(total_macs(forward_gemms(config, 1)) / 1e9, b.gmacs, 0.006) << b.name;
  }
}

// Of the published code where it has the size, with the position table, which it counts too.
TEST(LightningDit, HasThePublishedParametersAndProducts) {
  const auto backend = make_reference_backend();
  for (const Baseline& b : {Baseline{"LightningDiT-S/1", 32'985'248, 6.06},
                            {"LightningDiT-B/1", 130'556'192, 23.01},
                            {"LightningDiT-L/1", 458'152'960, 80.69},
                            {"LightningDiT-XL/1", 675'256'736, 118.63},
                            {"LightningDiT-1p0B/1", 1'029'401'120, 179.15},
                            {"LightningDiT-1p6B/1", 1'631'767'120, 283.35}}) {
    const ModelConfig config = model_preset(b.name);
    const auto model = make_model(config, *backend, DType::kFloat32);
    const FixedTable& positions = model->fixed_tables().front();
    EXPECT_EQ(positions.name, "pos_embed");
    EXPECT_EQ(model->parameters().elements() + positions.shape.elements(), b.parameters) << b.name;
    EXPECT_NEAR(total_macs(forward_gemms(config, 1)) / 1e9, b.gmacs, 0.006) << b.name;
  }
}

// Masked forward passes of MDTv2 at the mean of the ratios and at both ends, in GMAC.
TEST(Baselines, MaskedPassesDropWork) {
  const auto gmacs = [](const char* name, float ratio) {
    ModelConfig config = model_preset(name);
    config.as<Mdtv2Config>()->mask_ratio = {ratio, ratio};
    return (total_macs(both_forward_gemms(config, 1)) - total_macs(forward_gemms(config, 1))) / 1e9;
  };
  EXPECT_NEAR(gmacs("MDTv2-S/2", 0.5f), 5.54, 0.01);
  EXPECT_NEAR(gmacs("MDTv2-S/2", 0.3f), 6.20, 0.01);
  EXPECT_NEAR(gmacs("MDTv2-S/2", 0.4f), 5.86, 0.01);
  EXPECT_NEAR(gmacs("MDTv2-B/2", 0.4f), 22.52, 0.05);
  EXPECT_NEAR(gmacs("MDTv2-XL/2", 0.4f), 88.8, 0.2);
}

// A pass that zeroes tokens costs as much as a full one.
TEST(Baselines, BothPassesOfEdtAreTwoFullOnes) {
  const ModelConfig config = model_preset("EDT-S/2");
  EXPECT_EQ(total_macs(both_forward_gemms(config, 3)), 2 * total_macs(forward_gemms(config, 3)));
}

TEST(Tables, Positions) {
  const GoldenFile tables("tables.h5");
  for (const auto& [width, grid] : {std::pair{312, 16}, {416, 8}, {520, 4}}) {
    const auto name = "/pos_embed/" + std::to_string(width) + "x" + std::to_string(grid);
    // The published table is computed in float32: angles of up to 15 radians carry 1e-6.
    EXPECT_LE(
        relative_error(sincos_positions(width, TokenGrid::square(grid)), tables.read<float>(name)),
        2e-6);
  }
}

TEST(Tables, ModulationMatrix) {
  const GoldenFile tables("tables.h5");
  for (const int grid : {4, 8, 16}) {
    const auto expected = tables.read<float>("/amm/" + std::to_string(grid));
    EXPECT_LE(relative_error(modulation_matrix(TokenGrid::square(grid), AmmForm::kExp), expected),
              1e-6)
        << grid;
  }
}

// Ours: published for square grids alone.
TEST(Tables, ModulationOfAWideGrid) {
  const TokenGrid grid{2, 5};
  const auto matrix = modulation_matrix(grid, AmmForm::kExp);
  const auto at = [&](std::int64_t i, std::int64_t j) {
    return matrix.at(static_cast<std::size_t>(i * grid.tokens() + j));
  };
  EXPECT_FLOAT_EQ(at(3, 3), std::exp(1.f) / 2);
  // From corner to corner the cosine has come to a quarter of its wave, but that is beyond the cut.
  EXPECT_EQ(at(0, 9), 0);
  const float period = 4 * std::sqrt(1.f + 16.f);
  const auto expected = [&](float d) {
    return std::exp(std::cos(2 * std::numbers::pi_v<float> * d / period)) / 2;
  };
  EXPECT_NEAR(at(0, 1), expected(1), 1e-6);
  EXPECT_NEAR(at(0, 5), expected(1), 1e-6) << "a row down";
  EXPECT_NEAR(at(6, 4), expected(std::sqrt(10.f)), 1e-6);
  EXPECT_EQ(at(0, 4), 0) << "16 > 17 / 2 + 4";
}

TEST(EdtConfig, RefusesWhatDoesNotFit) {
  const auto message = [](auto change) -> std::string {
    EdtConfig config = edt_preset("EDT-S/2");
    change(config);
    try {
      config.validate();
    } catch (const UsageError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(message([](EdtConfig& c) { c.heads[1] = 7; }),
            "[model] model.heads has 7 for stage 1, which does not divide its 416 of model.widths");
  EXPECT_EQ(
      message([](EdtConfig& c) { c.latents = LatentShape::square(36); }),
      "[model] model.image-size is 288, EDT-S/2 takes multiples of 64 (VAE 8 x patch 2 x 4 of "
      "2 down-samplings): 256 or 320");
  EXPECT_EQ(
      message([](EdtConfig& c) { c.widths[4] = 416, c.heads[4] = 8; }),
      "[model] model.widths has 312 and 416 for stages 0 and 4: they are joined by a skip and "
      "must be equal");
  EXPECT_EQ(message([](EdtConfig& c) { c.amm_blocks = {12}; }),
            "[model] model.amm-blocks names block 12, the model has 12: 0 to 11");
  EXPECT_EQ(message([](EdtConfig&) {}), "accepted");
}

struct OtherDepths {
  const char* preset;
  std::vector<std::int64_t> depths, amm_blocks;
  std::int64_t mid_mask_block;
};

TEST(EdtConfig, BlocksThatAreNamedFollowTheDepths) {
  for (const OtherDepths& other : std::vector<OtherDepths>{
           {"EDT-Ti/2", {1, 1, 1, 1, 1}, {4}, 0},
           {"EDT-S/2", {2, 2, 2, 3, 3}, {7, 10}, 1},
           {"EDT-S/2", {1, 1, 1, 1, 1}, {3, 4}, 0},
           {"EDT-S/2", {4, 4, 4, 6, 6}, {15, 21}, 2},
           {"EDT-S/2", {2, 2, 2}, {4, 5}, 1},
           {"EDT-S/2", {12}, {}, 6},
           {"EDT-XL/2", {6, 4, 4, 7, 7}, {23, 25}, 4},
           {"EDT-XL/2", {3, 2, 2, 3, 3}, {11}, 2},
           {"EDT-XL/2", {1, 1, 1, 1, 1}, {4}, 0},
       }) {
    EdtConfig config = edt_preset(other.preset);
    change_depths(config, other.depths);
    EXPECT_EQ(config.amm_blocks, other.amm_blocks) << other.preset << other.depths.size();
    EXPECT_EQ(config.mid_mask_block, other.mid_mask_block) << other.preset;
    if (config.stages() != 5) continue;  // widths and heads are of five stages
    EXPECT_NO_THROW(config.validate()) << other.preset;
  }
}

// The mask inside the first stage can be turned on for any of them.
TEST(EdtConfig, EveryPresetTakesTheMiddleMask) {
  for (const char* name : {"EDT-Ti/2", "EDT-S/2", "EDT-B/2", "EDT-XL/2"}) {
    EdtConfig config = edt_preset(name);
    config.mid_mask = true;
    EXPECT_NO_THROW(config.validate()) << name;
  }
}

TEST(Tables, ModulationOfASingleToken) {
  EXPECT_FLOAT_EQ(modulation_matrix({1, 1}, AmmForm::kExp).at(0), std::exp(1.f) / 2);
  EXPECT_FLOAT_EQ(modulation_matrix({1, 1}, AmmForm::kCosine).at(0), 1.3f);
}

}  // namespace
}  // namespace edt::test
