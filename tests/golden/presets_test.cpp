// Presets against the published code: parameter counts, multiply-accumulates, names, tables.
#include <gtest/gtest.h>

#include <set>

#include "core/reference/reference_backend.h"
#include "model/edt/edt_model.h"
#include "model/edt/tables.h"
#include "model/presets/presets.h"
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
  EXPECT_EQ(total_macs(model.config().forward_matmuls(1)), tables.number("/", "macs " + name));
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

TEST(Tables, Positions) {
  const GoldenFile tables("tables.h5");
  for (const auto& [width, grid] : {std::pair{312, 16}, {416, 8}, {520, 4}}) {
    const auto name = "/pos_embed/" + std::to_string(width) + "x" + std::to_string(grid);
    // The published table is computed in float32: angles of up to 15 radians carry 1e-6.
    EXPECT_LE(relative_error(sincos_positions(width, grid), tables.read<float>(name)), 2e-6);
  }
}

TEST(Tables, ModulationMatrix) {
  const GoldenFile tables("tables.h5");
  for (const int grid : {4, 8, 16}) {
    const auto expected = tables.read<float>("/amm/" + std::to_string(grid));
    EXPECT_LE(relative_error(modulation_matrix(grid, AmmForm::kExp), expected), 1e-6) << grid;
  }
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
            "[model] stage 1: 7 heads do not divide the width 416");
  EXPECT_EQ(message([](EdtConfig& c) { c.input_size = 36; }),
            "[model] model.input-size 36 is not a multiple of 8 (patch 2 and 2 down-samplings)");
  EXPECT_EQ(message([](EdtConfig& c) { c.widths[4] = 416, c.heads[4] = 8; }),
            "[model] stages 0 and 4 are joined by a skip but are 312 and 416 wide");
  EXPECT_EQ(message([](EdtConfig& c) { c.amm_blocks = {12}; }),
            "[model] model.amm-blocks names block 12, the model has 12");
  EXPECT_EQ(message([](EdtConfig&) {}), "accepted");
}

}  // namespace
}  // namespace edt::test
