// EDT on grids that are not square: what joins and parts the stages keeps neighbours together.
#include <gtest/gtest.h>

#include <set>

#include "core/cpu/cpu_backend.h"
#include "core/random/stream.h"
#include "model/edt/edt_model.h"

namespace edt {
namespace {

// Two down-samplings; its blocks do nothing, as their gates are zero.
class StagesOnly {
 public:
  explicit StagesOnly(const LatentShape& latents) : latents_(latents) {
    EdtConfig config;
    config.name = "stages";
    config.latents = latents;
    config.classes = 3;
    config.depths = {1, 1, 1, 1, 1};
    config.widths = {8, 12, 16, 12, 8};
    config.heads = {2, 2, 2, 2, 2};
    model_ = std::make_unique<EdtModel>(config, *backend_, DType::kFloat32);
    std::uint64_t seed = 0;
    for (Parameter& parameter : model_->parameters().all()) {
      std::vector<float> values(static_cast<std::size_t>(parameter.shape.elements()));
      random::fill_normal({.seed = ++seed}, values);
      for (float& value : values) value *= 0.3f;
      const bool gates = parameter.name.starts_with("blocks.") &&
                         parameter.name.find("adaLN_modulation") != std::string::npos;
      if (gates) std::ranges::fill(values, 0.f);
      parameter.value = tensor(values, parameter.shape);
    }
  }

  // Tokens [T, columns] of an image.
  std::vector<float> run(const std::vector<float>& image) {
    const Tape::NoGrad forward_only(tape_);
    const std::int32_t label = 1;
    const Tensor labels{memory_.emplace_back(backend_->memory(), 64).data(), {1}, DType::kInt32};
    backend_->upload(&label, labels);
    std::vector<float> out;
    {
      const Var tokens = model_->forward(
          tape_, {tensor(image, {1, latents_.channels, latents_.height, latents_.width}),
                  tensor({500}, {1}), labels});
      const auto* first = tokens.tensor().as<float>();
      out.assign(first, first + tokens.tensor().elements());
    }
    tape_.clear();
    return out;
  }

 private:
  Tensor tensor(const std::vector<float>& values, const Shape& shape) {
    Tensor to{nullptr, shape, DType::kFloat32};
    to.data = memory_.emplace_back(backend_->memory(), to.bytes()).data();
    backend_->upload(values.data(), to);
    return to;
  }

  LatentShape latents_;
  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  std::deque<Block> memory_;
  Arena arena_{host_memory()};
  Profiler profiler_;
  Tape tape_{*backend_, arena_, profiler_, DType::kFloat32};
  std::unique_ptr<EdtModel> model_;
};

// A merge of 2 x 2 twice over: a value reaches the tokens of its own cell of 4 x 4, and no others.
TEST(WideGrids, AValueStaysInItsCellOfTheLowestStage) {
  constexpr std::int64_t kPatch = 2, kCell = 4;
  for (const auto& [height, width] : {std::pair{8, 24}, {24, 8}, {16, 16}}) {
    const LatentShape latents{.channels = 3, .height = height, .width = width};
    StagesOnly model(latents);
    std::vector<float> image(static_cast<std::size_t>(latents.elements()));
    random::fill_normal({.seed = 77}, image);
    const std::vector<float> before = model.run(image);
    const std::int64_t columns = width / kPatch, tokens = height / kPatch * columns;
    const std::size_t each = before.size() / static_cast<std::size_t>(tokens);
    for (const auto& [y, x] : {std::pair{0, 0}, {7, 5}, {height - 1, width - 1}, {3, width - 2}}) {
      std::vector<float> changed = image;
      changed[static_cast<std::size_t>(y * width + x)] += 1;
      const std::vector<float> after = model.run(changed);
      std::set<std::pair<std::int64_t, std::int64_t>> cells;
      int reached = 0;
      for (std::int64_t t = 0; t < tokens; ++t) {
        const auto begin = static_cast<std::ptrdiff_t>(static_cast<std::size_t>(t) * each);
        const bool same = std::equal(before.begin() + begin,
                                     before.begin() + begin + static_cast<std::ptrdiff_t>(each),
                                     after.begin() + begin);
        if (same) continue;
        ++reached;
        cells.emplace(t / columns / kCell, t % columns / kCell);
      }
      const std::pair<std::int64_t, std::int64_t> own{y / kPatch / kCell, x / kPatch / kCell};
      EXPECT_EQ(cells, (std::set{own})) << height << " x " << width << ", at " << y << ", " << x;
      EXPECT_EQ(reached, kCell * kCell);
    }
  }
}

}  // namespace
}  // namespace edt
