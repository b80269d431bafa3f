// A forward pass of an E-MMDiT with drawn weights on drawn inputs.
#pragma once

#include <functional>
#include <vector>

#include "core/cpu/cpu_backend.h"
#include "core/random/stream.h"
#include "model/emmdit/emmdit_model.h"
#include "tests/support/tiny_models.h"

namespace edt::test {

class EmmditPass {
 public:
  static constexpr std::int64_t kRows = 2;

  explicit EmmditPass(const EmmditConfig& config, std::uint64_t seed = 0)
      : model_(config, *backend_, DType::kFloat32) {
    for (Parameter& parameter : model_.parameters().all()) {
      parameter.value = tensor(drawn(parameter.shape, ++seed, 0.15f), parameter.shape);
    }
    const LatentShape& latents = config.latents;
    const Shape image{kRows, latents.channels, latents.height, latents.width};
    image_ = tensor(drawn(image, 1000, 1), image);
    text_ = drawn({kRows, config.text.tokens, config.text.channels}, 1001, 1);
    lengths_.assign(kRows, static_cast<std::int32_t>(config.text.tokens));
  }

  EmmditModel& model() { return model_; }
  Backend& backend() { return *backend_; }
  std::vector<float>& text() { return text_; }
  std::vector<std::int32_t>& lengths() { return lengths_; }
  void fill(std::string_view ending, float value) {
    for (Parameter& parameter : model_.parameters().all()) {
      if (parameter.name.ends_with(ending)) backend_->fill(parameter.value, double{value});
    }
  }

  // Tokens [rows, T, C] at these times, told as they are. `look` is called while values are there.
  std::vector<float> operator()(float t = 300, const PassHooks& hooks = {},
                                const std::function<void()>& look = {}) {
    const Tape::NoGrad inference(tape_);
    const TextConfig& config = model_.config().text;
    const Tensor lengths{lengths_.data(), {kRows}, DType::kInt32};
    ModelInputs inputs{image_, tensor(std::vector<float>(kRows, t), {kRows}), {}, hooks};
    inputs.text = {{text_.data(), {kRows, config.tokens, config.channels}, DType::kFloat32},
                   lengths};
    std::vector<float> values;
    {
      const Var tokens = model_.forward(tape_, inputs);
      const auto given = tokens.tensor().span<float>();
      values.assign(given.begin(), given.end());
      if (look) look();
    }
    tape_.clear();
    return values;
  }

 private:
  static std::vector<float> drawn(const Shape& shape, std::uint64_t seed, float deviation) {
    std::vector<float> values(static_cast<std::size_t>(shape.elements()));
    random::fill_normal({.seed = seed}, values);
    for (float& value : values) value *= deviation;
    return values;
  }
  Tensor tensor(const std::vector<float>& values, const Shape& shape) {
    Tensor made{nullptr, shape, DType::kFloat32};
    made.data = memory_.emplace_back(backend_->memory(), made.bytes()).data();
    backend_->upload_floats(values, made);
    return made;
  }

  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  Arena arena_{backend_->memory()};
  Profiler profiler_;
  std::vector<Block> memory_;
  EmmditModel model_;
  Tape tape_{*backend_, arena_, profiler_, DType::kFloat32};
  Tensor image_;
  std::vector<float> text_;
  std::vector<std::int32_t> lengths_;
};

}  // namespace edt::test
