// Tokens in groups: each is a sequence of its own, at the places that its tokens have in the
// picture.
#include <gtest/gtest.h>

#include <numeric>

#include "core/cpu/cpu_backend.h"
#include "core/reference/reference_backend.h"
#include "tests/model/sampling/drawn_model.h"
#include "tests/support/tiny_models.h"

namespace edt {
namespace {

using test::DrawnModel, test::of_a_flow;

constexpr std::int64_t kPictures = 2;

// Device memory that lasts as long as a test.
class Uploads {
 public:
  explicit Uploads(Backend& backend) : backend_(backend) {}
  Tensor floats(const std::vector<float>& values, const Shape& shape) {
    const Tensor to = make(shape, DType::kFloat32);
    backend_.upload_floats(values, to);
    return to;
  }
  Tensor integers(const std::vector<std::int32_t>& values, const Shape& shape) {
    const Tensor to = make(shape, DType::kInt32);
    backend_.upload(values.data(), to);
    return to;
  }

 private:
  Tensor make(const Shape& shape, DType dtype) {
    Tensor to{nullptr, shape, dtype};
    to.data = memory_.emplace_back(backend_.memory(), to.bytes()).data();
    return to;
  }
  Backend& backend_;
  std::vector<Block> memory_;
};

// The tokens of these ids, and where they are among them.
VisibleTokens group_of(Uploads& uploads, const std::vector<std::int32_t>& ids,
                       const TokenGrid& grid) {
  std::vector<std::int32_t> all, places;
  for (std::int64_t b = 0; b < kPictures; ++b) {
    all.insert(all.end(), ids.begin(), ids.end());
    std::vector<std::int32_t> own(static_cast<std::size_t>(grid.tokens()), -1);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      own[static_cast<std::size_t>(ids[i])] = static_cast<std::int32_t>(i);
    }
    places.insert(places.end(), own.begin(), own.end());
  }
  return {uploads.integers(all, {kPictures, static_cast<std::int64_t>(ids.size())}),
          uploads.integers(places, {kPictures, grid.tokens()}), grid};
}

struct Place {
  ModelConfig model;
  bool on_cpu;
};

class Groups : public testing::TestWithParam<Place> {
 protected:
  std::vector<float> host(const Var& value) const {
    std::vector<float> values(static_cast<std::size_t>(value.tensor().elements()));
    backend_->download(value.tensor(), values.data());
    return values;
  }
  // The upper `height` of random pictures, as many `times`.
  ModelInputs inputs(Uploads& uploads, std::int64_t height, std::int64_t times) const {
    const LatentShape& latents = GetParam().model.latents();
    std::vector<float> whole(static_cast<std::size_t>(kPictures * latents.elements())), part;
    random::fill_normal({.seed = 1}, whole);
    for (std::int64_t time = 0; time < times; ++time) {
      for (std::int64_t plane = 0; plane < kPictures * latents.channels; ++plane) {
        const auto first = whole.begin() + plane * latents.height * latents.width;
        part.insert(part.end(), first, first + height * latents.width);
      }
    }
    std::vector<float> t;
    std::vector<std::int32_t> labels;
    for (std::int64_t row = 0; row < times * kPictures; ++row) {
      t.push_back(0.3f + 0.2f * static_cast<float>(row % kPictures));
      labels.push_back(static_cast<std::int32_t>(row % kPictures));
    }
    return {uploads.floats(part, {times * kPictures, latents.channels, height, latents.width}),
            uploads.floats(t, {times * kPictures}), uploads.integers(labels, {times * kPictures})};
  }
  static void expect_close(const std::vector<float>& actual, const std::vector<float>& expected) {
    ASSERT_EQ(actual.size(), expected.size());
    float most = 0, largest = 0;
    for (std::size_t i = 0; i < actual.size(); ++i) {
      most = std::max(most, std::abs(actual[i] - expected[i]));
      largest = std::max(largest, std::abs(expected[i]));
    }
    EXPECT_LE(most, 1e-5f * largest);
    EXPECT_GT(largest, 0.01f);
  }

  std::unique_ptr<Backend> backend_ =
      GetParam().on_cpu ? make_cpu_backend() : make_reference_backend();
  Uploads uploads_{*backend_};
  Arena arena_{backend_->memory()};
  Profiler profiler_;
  Tape tape_{*backend_, arena_, profiler_, DType::kFloat32};
};

// The first row of a picture's tokens by itself is a picture that is one row high.
TEST_P(Groups, AreSequencesOfTheirOwn) {
  ModelConfig strip = GetParam().model;
  strip.common().latents.height = strip.patch();
  DrawnModel model(GetParam().model, *backend_), of_strip(strip, *backend_);
  const TokenGrid grid = GetParam().model.common().patches();
  std::vector<std::int32_t> first(static_cast<std::size_t>(grid.columns));
  std::vector<std::int32_t> others(static_cast<std::size_t>(grid.tokens() - grid.columns));
  std::iota(first.begin(), first.end(), 0);
  std::iota(others.begin(), others.end(), static_cast<std::int32_t>(grid.columns));
  const std::vector<VisibleTokens> groups{group_of(uploads_, first, grid),
                                          group_of(uploads_, others, grid)};
  const Tape::NoGrad inference(tape_);
  {
    const auto outputs = (*model).forward_groups(
        tape_, inputs(uploads_, GetParam().model.latents().height, 2), groups);
    const Var expected = (*of_strip).forward(tape_, inputs(uploads_, strip.patch(), 1));
    expect_close(host(outputs[0]), host(expected));
  }
  tape_.clear();
}

// A group of all tokens is the ordinary pass.
TEST_P(Groups, OfAllTokensIsThePass) {
  DrawnModel model(GetParam().model, *backend_);
  const TokenGrid grid = GetParam().model.common().patches();
  std::vector<std::int32_t> all(static_cast<std::size_t>(grid.tokens()));
  std::iota(all.begin(), all.end(), 0);
  const std::vector<VisibleTokens> groups{group_of(uploads_, all, grid)};
  const ModelInputs seen = inputs(uploads_, GetParam().model.latents().height, 1);
  const Tape::NoGrad inference(tape_);
  {
    const auto outputs = (*model).forward_groups(tape_, seen, groups);
    const Var expected = (*model).forward(tape_, seen);
    expect_close(host(outputs[0]), host(expected));
  }
  tape_.clear();
}

std::vector<Place> places() {
  std::vector<Place> all;
  for (const bool on_cpu : {false, true}) {
    all.push_back({of_a_flow(test::tiny_dit()), on_cpu});
    all.push_back({of_a_flow(test::tiny_lightning_dit()), on_cpu});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Models, Groups, testing::ValuesIn(places()), [](const auto& one) {
  std::string name = one.param.model.name() + (one.param.on_cpu ? "_cpu" : "_reference");
  std::ranges::replace(name, ' ', '_');
  return name;
});

}  // namespace
}  // namespace edt
