// Networks that read texts: where they begin, what stands behind a text's last token, and which
// texts are dropped in training.
#include <fmt/format.h>
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "core/cpu/cpu_backend.h"
#include "core/random/stream.h"
#include "model/training/condition_buffers.h"
#include "tests/support/message_of.h"
#include "tests/support/tiny_models.h"

namespace edt {
namespace {

constexpr std::int64_t kTextRows = 3, kChannels = 6;

ModelConfig reading(ModelConfig model, TextForm form, std::int64_t tokens) {
  model.common().text = {.form = form, .tokens = tokens, .channels = kChannels};
  return model;
}

std::vector<float> normals(std::int64_t count, std::uint64_t seed) {
  std::vector<float> values(static_cast<std::size_t>(count));
  random::fill_normal({.seed = seed}, values);
  return values;
}

// A model with its initial weights, or with drawn ones, none of which is zero.
class Reader {
 public:
  explicit Reader(const ModelConfig& config, bool drawn = false)
      : model_(make_model(config, *backend_, DType::kFloat32)) {
    ParameterList& list = model_->parameters();
    for (std::size_t i = 0; i < list.all().size(); ++i) {
      Parameter& parameter = list.all()[i];
      parameter.value = tensor(normals(parameter.shape.elements(), 40 + i), parameter.shape);
      if (drawn) {
        for (float& value : parameter.value.span<float>()) value *= 0.2f;
      } else {
        list.initialize(i, 7, parameter.value.span<float>());
      }
    }
  }

  // Text `row` has lengths[row] tokens; what stands behind them is `padding`.
  std::vector<float> output(const std::vector<std::int32_t>& lengths, float padding = 0,
                            bool reversed = false) {
    const LatentShape& latents = model_->latents();
    const TextConfig& text = model_->text();
    ModelInputs inputs{tensor(normals(kTextRows * latents.elements(), 1),
                              {kTextRows, latents.channels, latents.height, latents.width}),
                       tensor({10.f, 300.f, 900.f}, {kTextRows}), integers({0, 1, 2})};
    if (text.is_on()) {
      std::vector<float> features(static_cast<std::size_t>(kTextRows * text.tokens * kChannels),
                                  padding);
      for (std::int64_t row = 0; row < kTextRows; ++row) {
        const std::int32_t length = lengths[static_cast<std::size_t>(row)];
        for (std::int64_t token = 0; token < length; ++token) {
          const std::int64_t place = reversed ? length - 1 - token : token;
          const auto own = normals(kChannels, static_cast<std::uint64_t>(100 * row + token));
          std::ranges::copy(own, features.begin() + (row * text.tokens + place) * kChannels);
        }
      }
      inputs.text = {tensor(features, {kTextRows, text.tokens, kChannels}), integers(lengths)};
    }
    std::vector<float> values;
    {
      const Tape::NoGrad inference(tape_);
      const Var tokens = model_->forward(tape_, inputs);
      const std::span<const float> made = tokens.tensor().span<float>();
      values.assign(made.begin(), made.end());
    }
    tape_.clear();
    return values;
  }

 private:
  Tensor tensor(const std::vector<float>& values, const Shape& shape) {
    Tensor to{memory_.emplace_back(backend_->memory(), values.size() * sizeof(float)).data(), shape,
              DType::kFloat32};
    std::ranges::copy(values, to.as<float>());
    return to;
  }
  Tensor integers(const std::vector<std::int32_t>& values) {
    Tensor to{memory_.emplace_back(backend_->memory(), values.size() * sizeof(float)).data(),
              {static_cast<std::int64_t>(values.size())},
              DType::kInt32};
    std::ranges::copy(values, to.as<std::int32_t>());
    return to;
  }

  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  Arena arena_{backend_->memory()};
  Profiler profiler_;
  std::vector<Block> memory_;
  std::unique_ptr<Model> model_;
  Tape tape_{*backend_, arena_, profiler_, DType::kFloat32};
};

class TextReaders : public testing::TestWithParam<ModelConfig> {};

// A class-trained network goes on from where it is.
TEST_P(TextReaders, CrossAttentionBeginsAsTheNetworkWithoutIt) {
  EXPECT_EQ(Reader(reading(GetParam(), TextForm::kCross, 5)).output({5, 1, 0}),
            Reader(GetParam()).output({}));
}

// Room for more tokens is another product, which a library may sum in another order: with AVX-512
// oneDNN does. 1e-5 is ten roundings of results around 1.
TEST_P(TextReaders, WhatStandsBehindTheLastTokenChangesNoBit) {
  for (const TextForm form : {TextForm::kPooled, TextForm::kCross}) {
    Reader shorter(reading(GetParam(), form, 5), true);
    const std::vector<float> expected = shorter.output({5, 2, 0});
    EXPECT_EQ(shorter.output({5, 2, 0}, 99.f), expected);
    EXPECT_THAT(Reader(reading(GetParam(), form, 23), true).output({5, 2, 0}),
                testing::Pointwise(testing::FloatNear(1e-5f), expected));
    EXPECT_NE(shorter.output({5, 3, 0}), expected);
    EXPECT_NE(shorter.output({5, 2, 1}), expected);
  }
}

// Texts have no positions of their own here: their encoder has put them into the features.
TEST_P(TextReaders, TheOrderOfTokensIsNotSeen) {
  for (const TextForm form : {TextForm::kPooled, TextForm::kCross}) {
    Reader reader(reading(GetParam(), form, 5), true);
    const std::vector<float> forth = reader.output({5, 2, 3});
    const std::vector<float> back = reader.output({5, 2, 3}, 0, true);
    ASSERT_EQ(forth.size(), back.size());
    for (std::size_t i = 0; i < forth.size(); ++i) {
      ASSERT_NEAR(forth[i], back[i], 1e-4f) << i;  // sums in another order, of values up to 10
    }
  }
}

TEST_P(TextReaders, ClassesCanBeLeftOut) {
  ModelConfig without = reading(GetParam(), TextForm::kCross, 5);
  without.common().classes = 0;
  const auto backend = make_cpu_backend();
  const auto model = make_model(without, *backend, DType::kFloat32);
  for (const Parameter& parameter : model->parameters().all()) {
    EXPECT_FALSE(parameter.name.starts_with("y_embedder.embedding_table")) << parameter.name;
  }
  EXPECT_FALSE(Reader(without, true).output({5, 2, 0}).empty());
}

INSTANTIATE_TEST_SUITE_P(Models, TextReaders,
                         testing::Values(ModelConfig(test::tiny_edt()),
                                         ModelConfig(test::tiny_mdtv2()),
                                         ModelConfig(test::tiny_dit())),
                         [](const auto& one) {
                           const std::string name = one.param.name();
                           return name.substr(name.find(' ') + 1);
                         });

class DroppedTexts : public testing::Test {
 protected:
  // Tokens of each of `rows` samples from `first` on: texts have 4, the null text 1.
  std::vector<std::int32_t> lengths(std::int32_t first, std::int32_t rows, float dropout,
                                    random::Purpose purpose = random::Purpose::kLabelDrop) {
    InputBuffers inputs(*backend_);
    ConditionBuffers conditions(*model_, inputs, rows);
    conditions.set_null_text(std::vector<float>(kChannels, 3.f));
    std::vector<std::int32_t> positions;
    for (std::int32_t i = 0; i < rows; ++i) positions.push_back(first + i);
    const std::vector<float> features(static_cast<std::size_t>(rows * 5 * kChannels), 1.f),
        counts(static_cast<std::size_t>(rows), 4.f);
    const std::vector<std::span<const float>> arrays{features, counts};
    inputs.begin();
    conditions.fill({0, positions, arrays}, {.seed = 1, .step = 2}, purpose, dropout);
    inputs.send();
    const TextInputs text = conditions.text(rows);
    std::vector<std::int32_t> found;
    for (std::int32_t row = 0; row < rows; ++row) {
      const std::int32_t length = text.lengths.as<std::int32_t>()[row];
      const float* const values = text.features.as<float>() + row * 5 * kChannels;
      EXPECT_EQ(values[0], length == 1 ? 3.f : 1.f);
      if (length == 1) {
        EXPECT_EQ(values[kChannels], 0.f);
      }
      found.push_back(length);
    }
    return found;
  }

  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  std::unique_ptr<Model> model_ =
      make_model(reading(test::tiny_dit(), TextForm::kCross, 5), *backend_, DType::kFloat32);
};

TEST_F(DroppedTexts, FollowFromTheirPlaceAlone) {
  const std::vector<std::int32_t> all = lengths(0, 400, 0.3f);
  const auto dropped = std::ranges::count(all, 1);
  EXPECT_GT(dropped, 80);  // of 120 in the mean, deviation 9
  EXPECT_LT(dropped, 160);
  for (const std::int32_t first : {0, 8, 396}) {
    const std::vector<std::int32_t> some = lengths(first, 4, 0.3f);
    EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin() + first)) << first;
  }
  EXPECT_NE(lengths(0, 400, 0.3f, random::Purpose::kLabelDropMasked), all);
  EXPECT_EQ(lengths(0, 4, 0.f), std::vector<std::int32_t>(4, 4));
}

TEST_F(DroppedTexts, AreThoseWhoseLabelsAreDropped) {
  std::vector<std::int32_t> positions(50), labels(50, 2);
  std::iota(positions.begin(), positions.end(), 0);
  drop_labels({.seed = 1, .step = 2}, random::Purpose::kLabelDrop, positions, 0.3f, 4, labels);
  const std::vector<std::int32_t> found = lengths(0, 50, 0.3f);
  for (std::size_t i = 0; i < labels.size(); ++i) EXPECT_EQ(labels[i] == 4, found[i] == 1) << i;
}

TEST_F(DroppedTexts, ANullTextThatDoesNotFitIsRefused) {
  InputBuffers inputs(*backend_);
  ConditionBuffers conditions(*model_, inputs, 2);
  for (const std::size_t values : {std::size_t{kChannels + 1}, std::size_t{6 * kChannels}}) {
    EXPECT_EQ(
        test::message_of<UsageError>([&] { conditions.set_null_text(std::vector<float>(values)); }),
        fmt::format("[text] the null text has {} values, tiny DiT reads up to 5 tokens of 6 each",
                    values));
  }
}

}  // namespace
}  // namespace edt
