// Blocks that share a modulation compute what blocks with the same modulations of their own
// compute: y = beta + (W c + b) (1 + gamma) is a projection with rows of W times 1 + gamma.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "core/cpu/cpu_backend.h"
#include "core/random/stream.h"
#include "core/reference/reference_backend.h"
#include "model/families/presets.h"
#include "tests/support/tiny_models.h"

namespace edt {
namespace {

using Values = std::vector<double>;
using NamedValues = std::map<std::string, Values>;

constexpr std::int64_t kRows = 2;
constexpr const char *kWeight = ".adaLN_modulation.1.weight", *kBias = ".adaLN_modulation.1.bias",
                     *kScale = ".scale_shift_scale", *kShift = ".scale_shift_bias";

ModelConfig with_form(ModelConfig model, ModulationForm form) {
  model.common().modulation = form;
  return model;
}

// A model on the reference backend in float64, with gradients of the sum of its outputs.
class WholeModel {
 public:
  explicit WholeModel(const ModelConfig& config)
      : model_(make_model(config, *backend_, DType::kFloat64, {}, ModelUse::kTraining)) {
    for (Parameter& parameter : model_->parameters().all()) {
      parameter.value = make(parameter.shape, DType::kFloat64);
      parameter.grad = make(parameter.shape, DType::kFloat64);
    }
  }

  void load(const NamedValues& weights) {
    for (Parameter& parameter : model_->parameters().all()) {
      write(weights.at(parameter.name), parameter.value);
    }
  }
  // Of both passes where some tokens are dropped, so that every parameter is used.
  Values run() {
    const std::int64_t rows = model_->dropping() ? 2 * kRows : kRows;
    const LatentShape& latents = model_->latents();
    std::vector<float> image(static_cast<std::size_t>(rows * latents.elements()));
    random::fill_normal({.seed = 9}, image);
    Values t;
    std::vector<std::int32_t> classes;
    for (std::int64_t row = 0; row < rows; ++row) {
      t.push_back(0.2 + 0.15 * static_cast<double>(row));
      classes.push_back(static_cast<std::int32_t>(row % model_->classes()));
    }
    const ModelInputs inputs{tensor({image.begin(), image.end()},
                                    {rows, latents.channels, latents.height, latents.width}),
                             tensor(t, {rows}), integers(classes, {rows})};
    Values output;
    {
      const Var tokens = model_->dropping()
                             ? model_->forward_passes(tape_, inputs, {.visible = every_second()})
                             : model_->forward(tape_, inputs);
      output = read(tokens.tensor());
      tape_.backward(tokens);
    }
    tape_.clear();
    return output;
  }
  NamedValues gradients() const {
    NamedValues all;
    for (const Parameter& parameter : model_->parameters().all()) {
      all[parameter.name] = read(parameter.grad);
    }
    return all;
  }
  // None of them zero.
  NamedValues drawn() const {
    NamedValues weights;
    std::uint64_t seed = 100;
    for (const Parameter& parameter : model_->parameters().all()) {
      std::vector<float> values(static_cast<std::size_t>(parameter.shape.elements()));
      random::fill_normal({.seed = ++seed}, values);
      Values& own = weights[parameter.name];
      for (const float value : values) own.push_back(0.15 * double{value});
    }
    return weights;
  }

 private:
  Tensor make(const Shape& shape, DType dtype) {
    Tensor to{nullptr, shape, dtype};
    to.data = memory_.emplace_back(backend_->memory(), to.bytes()).data();
    return to;
  }
  Tensor tensor(const Values& values, const Shape& shape) {
    const Tensor to = make(shape, DType::kFloat64);
    write(values, to);
    return to;
  }
  Tensor integers(const std::vector<std::int32_t>& values, const Shape& shape) {
    const Tensor to = make(shape, DType::kInt32);
    backend_->upload(values.data(), to);
    return to;
  }
  VisibleTokens every_second() {
    const TokenGrid grid = model_->patches();
    std::vector<std::int32_t> ids, places;
    for (std::int64_t place = 0; place < kRows * grid.tokens(); ++place) {
      const auto at = static_cast<std::int32_t>(place % grid.tokens());
      const bool is_visible = at % 2 == 0;
      if (is_visible) ids.push_back(at);
      places.push_back(is_visible ? at / 2 : -1);
    }
    const auto visible = static_cast<std::int64_t>(ids.size()) / kRows;
    return {integers(ids, {kRows, visible}), integers(places, {kRows, grid.tokens()}), grid};
  }
  void write(const Values& values, const Tensor& to) const {
    ASSERT_EQ(static_cast<std::int64_t>(values.size()), to.elements());
    backend_->upload(values.data(), to);
  }
  Values read(const Tensor& from) const {
    Values values(static_cast<std::size_t>(from.elements()));
    backend_->download(from, values.data());
    return values;
  }

  std::unique_ptr<Backend> backend_ = make_reference_backend();
  Arena arena_{backend_->memory()};
  Profiler profiler_;
  std::vector<Block> memory_;
  std::unique_ptr<Model> model_;
  Tape tape_{*backend_, arena_, profiler_, DType::kFloat64};
};

// The block whose projection, weight or bias, this is; "" of anything else.
std::string block_of(const std::string& name, const char* ending) {
  return name.find("blocks.") != name.npos && !name.starts_with("down_blocks") &&
                 !name.starts_with("concat_blocks") && name.ends_with(ending)
             ? name.substr(0, name.size() - std::string(ending).size())
             : "";
}

class SharedModulations : public testing::TestWithParam<ModelConfig> {
 protected:
  // What blocks of the other model share in this one.
  std::string shared_of(const std::string& block) const {
    const auto* edt = GetParam().as<EdtConfig>();
    if (edt == nullptr) return "modulation";
    return "modulation." + std::to_string(edt->stage_of_block(std::stoll(block.substr(7))));
  }
  // Tables of zeros where there are none.
  static Values table(const NamedValues& weights, const std::string& name, std::size_t size) {
    const auto found = weights.find(name);
    return found == weights.end() ? Values(size, 0.0) : found->second;
  }

  // Those of blocks with projections of their own that give the same modulations.
  NamedValues unshared(const NamedValues& shared, const NamedValues& names) const {
    NamedValues full;
    for (const auto& [name, ignored] : names) {
      const std::string of_weight = block_of(name, kWeight), of_bias = block_of(name, kBias);
      const std::string block = of_weight + of_bias;
      if (block.empty()) {
        full[name] = shared.at(name);
        continue;
      }
      const Values bias = shared.at(shared_of(block) + kBias);
      const Values scale = table(shared, block + kScale, bias.size());
      const Values shift = table(shared, block + kShift, bias.size());
      Values values = shared.at(shared_of(block) + (of_bias.empty() ? kWeight : kBias));
      const std::size_t columns = values.size() / bias.size();
      for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = values[i] * (1 + scale[i / columns]) + (of_bias.empty() ? 0 : shift[i]);
      }
      full[name] = values;
    }
    return full;
  }

  // The gradients of what is shared and of the tables, by the chain rule.
  NamedValues gathered(const NamedValues& full, const NamedValues& shared) const {
    NamedValues expected;
    for (const auto& [name, gradient] : full) {
      const std::string block = block_of(name, kWeight);
      if (block.empty()) {
        if (block_of(name, kBias).empty()) expected[name] = gradient;
        continue;
      }
      const std::string from = shared_of(block);
      const Values &weight = shared.at(from + kWeight), &bias = shared.at(from + kBias);
      const Values& of_bias = full.at(block + kBias);
      const Values scale = table(shared, block + kScale, bias.size());
      const std::size_t columns = weight.size() / bias.size();
      Values of_scale(bias.size());
      Values &to_weight = expected[from + kWeight], &to_bias = expected[from + kBias];
      to_weight.resize(weight.size());
      to_bias.resize(bias.size());
      for (std::size_t j = 0; j < bias.size(); ++j) {
        to_bias[j] += of_bias[j] * (1 + scale[j]);
        of_scale[j] = of_bias[j] * bias[j];
        for (std::size_t i = j * columns; i < (j + 1) * columns; ++i) {
          to_weight[i] += gradient[i] * (1 + scale[j]);
          of_scale[j] += gradient[i] * weight[i];
        }
      }
      if (!shared.contains(block + kScale)) continue;
      expected[block + kScale] = of_scale;
      expected[block + kShift] = of_bias;
    }
    return expected;
  }

  // Of sums in another order, in float64.
  static void expect_near(const Values& actual, const Values& expected, const std::string& name) {
    ASSERT_EQ(actual.size(), expected.size()) << name;
    double largest = 0, difference = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      largest = std::max(largest, std::fabs(expected[i]));
      difference = std::max(difference, std::fabs(actual[i] - expected[i]));
    }
    EXPECT_LE(difference, 1e-10 * largest + 1e-13) << name;
  }

  void expect_equal_to_unshared(ModulationForm form) const {
    WholeModel shared(with_form(GetParam(), form)), full(GetParam());
    const NamedValues weights = shared.drawn();
    shared.load(weights);
    full.load(unshared(weights, full.drawn()));
    expect_near(shared.run(), full.run(), "output");
    const NamedValues expected = gathered(full.gradients(), weights);
    const NamedValues actual = shared.gradients();
    ASSERT_EQ(actual.size(), expected.size());
    for (const auto& [name, gradient] : expected) expect_near(actual.at(name), gradient, name);
  }
};

TEST_P(SharedModulations, WithTablesAreProjectionsOfRows) {
  expect_equal_to_unshared(ModulationForm::kAffine);
}

TEST_P(SharedModulations, WithoutTablesAreOneProjection) {
  expect_equal_to_unshared(ModulationForm::kShared);
}

INSTANTIATE_TEST_SUITE_P(Models, SharedModulations,
                         testing::Values(ModelConfig(test::tiny_edt()),
                                         ModelConfig(test::tiny_mdtv2()),
                                         ModelConfig(test::tiny_dit()),
                                         ModelConfig(test::tiny_lightning_dit())),
                         [](const auto& one) {
                           const std::string name = one.param.name();
                           return name.substr(name.find(' ') + 1);
                         });

// What is saved, counted by hand: of EDT-XL/2, for each stage of depth d and width w with condition
// c, (d - 1) 6 w (c + 1) of the projections less 12 w d of tables.
TEST(SharedModulation, ParametersOfThePresets) {
  const auto backend = make_cpu_backend();
  const auto elements = [&](const char* preset, ModulationForm form) {
    return make_model(with_form(model_preset(preset), form), *backend, DType::kFloat32, {},
                      ModelUse::kTraining)
        ->parameters()
        .elements();
  };
  for (const char* preset : {"EDT-S/2", "EDT-XL/2"}) {
    const ModelConfig model = model_preset(preset);
    const EdtConfig& config = *model.as<EdtConfig>();
    std::int64_t projections = 0, tables = 0;
    for (std::size_t stage = 0; stage < config.depths.size(); ++stage) {
      projections += (config.depths[stage] - 1) * 6 * config.widths[stage] * (config.widths[0] + 1);
      tables += config.depths[stage] * 12 * config.widths[stage];
    }
    const std::int64_t full = elements(preset, ModulationForm::kFull);
    EXPECT_EQ(elements(preset, ModulationForm::kShared), full - projections) << preset;
    EXPECT_EQ(elements(preset, ModulationForm::kAffine), full - projections + tables) << preset;
  }
  EXPECT_EQ(
      elements("DiT-XL/2", ModulationForm::kFull) - elements("DiT-XL/2", ModulationForm::kAffine),
      27 * 6 * 1152 * 1153 - 28 * 12 * 1152);
}

}  // namespace
}  // namespace edt
