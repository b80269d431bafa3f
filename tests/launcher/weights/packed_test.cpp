// Files of packed ternary weights: what is read of them is what the checkpoint's weights round to,
// and what does not fit is refused.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/optim/grad_norm.h"
#include "core/reference/reference_backend.h"
#include "launcher/recipe/trained_weights.h"
#include "model/families/model_config.h"
#include "model/ternary.h"
#include "model/weights.h"
#include "parallel/checkpoint/writer.h"
#include "parallel/comm/self/self_communicator.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_models.h"

namespace edt::test {
namespace {

using ::testing::HasSubstr;

class PackedFile : public ::testing::Test {
 protected:
  struct Network {
    std::unique_ptr<Model> model;
    FlatLayout layout;
    std::vector<float> weights;
  };

  Network network(const ModelConfig& config) {
    auto model = make_model(config, *backend_, DType::kFloat32);
    FlatLayout layout = FlatLayout::of(parameter_pointers(model->parameters()),
                                       static_cast<std::int64_t>(kNormBlock));
    std::vector<float> weights(static_cast<std::size_t>(layout.size()));
    return {std::move(model), std::move(layout), std::move(weights)};
  }

  static ModelConfig ternary(ModelConfig config) {
    config.common().weights = {WeightForm::kTernary, true};
    return config;
  }

  // A network as it is drawn, in a checkpoint.
  Checkpoint saved(Network& one, const std::string& name) {
    for (std::size_t i = 0; i < one.layout.tensors().size(); ++i) {
      const FlatTensor& tensor = one.layout.tensor(i);
      one.model->parameters().initialize(i, 3,
                                         std::span(one.weights)
                                             .subspan(static_cast<std::size_t>(tensor.offset),
                                                      static_cast<std::size_t>(tensor.elements())));
    }
    const std::span<float> values(one.weights);
    const CheckpointStore store(directory_ / name);
    CheckpointWriter writer(
        store, make_self_communicator(),
        state_of(one.layout, one.layout.whole(),
                 {{std::string(kMasterArray), values}, {std::string(kEmaArray), values}}),
        {});
    writer.save({.step = 7, .model = "tiny", .configuration = "[model]\n"}, {});
    writer.wait();
    return find_checkpoint(directory_ / name);
  }

  const TempDir directory_;
  std::unique_ptr<Backend> backend_ = make_reference_backend();
};

TEST_F(PackedFile, HasWhatTheWeightsRoundTo) {
  for (const ModelConfig& config : {ternary(tiny_edt()), ternary(tiny_lightning_dit())}) {
    Network one = network(config);
    const Checkpoint checkpoint = saved(one, config.name());
    const auto file = directory_ / (config.name() + ".safetensors");
    require_packable(checkpoint, *one.model);
    const PackedReport report = export_packed(checkpoint, WeightSource::kEma, *one.model, file);
    EXPECT_GT(report.packed, 5u);
    EXPECT_GT(report.zeros, 0.1);
    EXPECT_LT(report.zeros, 0.5);
    EXPECT_LT(report.file.bytes, 4u * static_cast<std::uint64_t>(report.file.elements));

    const TrainedWeights read = TrainedWeights::find(file);
    EXPECT_EQ(read.info().step, 7);
    EXPECT_EQ(read.classes(), 4);
    Network other = network(config);
    read.load(kEmaArray, other.layout, other.weights);
    fold_ternary(one.model->parameters(), one.layout, one.weights);
    fold_ternary(other.model->parameters(), other.layout, other.weights);
    EXPECT_TRUE(one.weights == other.weights) << config.name();
    EXPECT_THAT(
        message_of<UsageError>([&] { read.load(kMasterArray, other.layout, other.weights); }),
        HasSubstr("--weights is raw"));
  }
}

TEST_F(PackedFile, OfAnotherModelIsRefused) {
  Network one = network(ternary(tiny_dit()));
  const auto file = directory_ / "packed.safetensors";
  export_packed(saved(one, "run"), WeightSource::kEma, *one.model, file);
  const PackedWeights packed(file);
  const auto refusal = [&](const ModelConfig& config) {
    Network other = network(config);
    return message_of<DataError>([&] { packed.load(other.layout, other.weights); });
  };
  EXPECT_THAT(refusal(tiny_dit()), HasSubstr("is of another model, which lacks "));
  DitConfig deep = tiny_dit(), wide = tiny_dit();
  deep.depth = 3;
  wide.width = 24;
  EXPECT_THAT(refusal(ternary(deep)), HasSubstr("is of another model: it lacks blocks.2."));
  EXPECT_THAT(refusal(ternary(wide)), HasSubstr("the model has "));
}

TEST_F(PackedFile, IsMadeOfTernaryWeightsAlone) {
  Network dense = network(tiny_dit());
  const Checkpoint checkpoint = saved(dense, "run");
  EXPECT_THAT(message_of<UsageError>([&] { require_packable(checkpoint, *dense.model); }),
              HasSubstr("--packed is for ternary weights, model.weights of"));
  const auto plain = directory_ / "plain.safetensors";
  SafetensorsWriter writer(plain, {{.name = "w", .shape = {1}}});
  const float value = 1;
  writer.append_values(std::span(&value, 1));
  writer.finish();
  EXPECT_THAT(message_of<DataError>([&] { TrainedWeights::find(plain); }),
              HasSubstr("is not of edt ckpt export --packed"));
}

}  // namespace
}  // namespace edt::test
